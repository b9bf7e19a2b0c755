# A shipment for an order names its reservation, which then knows what has left.
configure TEE                                          -> created
receive TEE 5                                          -> received on_hand=5
receive TEE 3 at=store                                 -> received on_hand=3
reserve r1 TEE@main 3                                  -> created
ship_for r1 TEE 1                                      -> shipped 0 of 1, d1 on_hand=5 sold=0 shipped=0  # nothing was sold yet
confirm r1                                             -> confirmed
ship_for r1 TEE 1 key=k1                               -> shipped on_hand=2 sold=3 shipped=1
ship_for r1 TEE 1 key=k1                               -> again: shipped on_hand=2 sold=3 shipped=1
show r1                                                -> confirmed: TEE@main confirmed=3 shipped=1
show TEE@main                                          -> available=2 on_hand=2 sold=3 shipped=1 received=5
cancel r1 TEE 3                                        -> refused already-shipped TEE here=2  # one has left
cancel r1 TEE 1                                        -> cancelled 1 of 3 shipped=1
ship_for r1 TEE 3                                      -> shipped 1 of 3, d2 on_hand=3 sold=2 shipped=2  # one was left
show r1                                                -> confirmed: TEE@main confirmed=3 cancelled=1 shipped=2
cancel r1                                              -> refused already-shipped TEE@main here=0
show TEE@main                                          -> available=3 on_hand=3 sold=2 shipped=2 received=5

# From another location than the sale's: the sale moves there, as far as there is stock.
reserve r2 TEE@main 2                                  -> created
confirm r2                                             -> confirmed
reserve r3 TEE@store 2                                 -> created
ship_for r2 TEE 2 at=store                             -> shipped on_hand=1 sold=2 shipped=2 shortfall=1  # what others hold there falls short
show TEE@main                                          -> available=3 on_hand=3 sold=2 shipped=2 received=5
show TEE@store                                         -> available=0 on_hand=1 reserved=2 sold=2 shipped=2 received=3 shortfall=1
confirm r3                                             -> refused shortfall TEE@store confirmable=1
release r3                                             -> released
reserve r4 TEE@main 3                                  -> created
confirm r4                                             -> confirmed
ship_for r4 TEE 3 at=store                             -> shipped 1 of 3, d3 on_hand=0 sold=3 shipped=3
show r4                                                -> confirmed: TEE@main confirmed=3 shipped=1
ship_for r4 TEE 1                                      -> shipped on_hand=1 sold=4 shipped=3
cancel r4                                              -> cancelled 1 of 3 shipped=2
ship_for r4 TEE 1 at=attic                             -> shipped 0 of 1, d4 on_hand=0 sold=0 shipped=0
show TEE                                               -> available=2 on_hand=2 sold=6 shipped=6 received=8 released=2
down 1s                                                -> resumed grace=1s
show r4                                                -> confirmed: TEE@main confirmed=3 cancelled=1 shipped=2
ship_for r9 TEE 1                                      -> shipped 0 of 1, d5 on_hand=2 sold=3 shipped=3  # nobody knows it, and nothing is sold
