# A shipment from another location than the sale's first moves the sale there, as far as there is
# stock.
configure TEE                                          -> created
receive TEE 4                                          -> received on_hand=4
receive TEE 3 at=store                                 -> received on_hand=3
reserve r1 TEE 4                                       -> created
confirm r1                                             -> confirmed
ship TEE 2 at=store                                    -> shipped on_hand=1 sold=2 shipped=2
show TEE@main                                          -> available=2 on_hand=2 sold=2 received=4
show TEE@store                                         -> available=1 on_hand=1 sold=2 shipped=2 received=3
ship TEE 2 at=store                                    -> shipped 1 of 2, d1 on_hand=0 sold=3 shipped=3  # one unit is left there
show d1                                                -> shipped-unsold TEE@store expected=1 found=2 propose: look; open
show TEE@main                                          -> available=3 on_hand=3 sold=1 received=4
show TEE@store                                         -> available=0 sold=3 shipped=3 received=3

# What is held there is a shortfall then.
configure MUG                                          -> created
receive MUG 2                                          -> received on_hand=2
receive MUG 2 at=store                                 -> received on_hand=2
reserve r2 MUG 2                                       -> created
confirm r2                                             -> confirmed
reserve r3 MUG@store 2                                 -> created
ship MUG 1 at=store                                    -> shipped on_hand=1 sold=1 shipped=1 shortfall=1
confirm r3                                             -> refused shortfall MUG@store confirmable=1
receive MUG 1 at=store                                 -> received on_hand=2
confirm r3                                             -> confirmed
show MUG@store                                         -> available=0 sold=3 shipped=1 received=3
