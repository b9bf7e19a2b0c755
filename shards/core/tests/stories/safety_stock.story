# Safety stock raised above what is free is accepted: available is 0, open holds stay good.
configure TEE safety@main=1                            -> created
receive TEE 4                                          -> received on_hand=4
reserve r1 TEE 4                                       -> refused insufficient-stock available=3
reserve r1 TEE 2                                       -> created
configure TEE safety@main=4                            -> configured
show TEE                                               -> available=0 on_hand=4 reserved=2 safety_stock=4 received=4
reserve r2 TEE 1                                       -> refused insufficient-stock available=0
extend r1 ttl=20m                                      -> extended until=+20m
confirm r1                                             -> confirmed
show TEE                                               -> available=0 on_hand=2 safety_stock=4 sold=2 received=4

# It is kept per location, and setting it there makes the location known.
configure TEE safety@store=1                           -> configured
reserve r3 TEE@store 1                                 -> refused insufficient-stock TEE@store available=0
receive TEE 2 at=store                                 -> received on_hand=2
reserve r3 TEE 1                                       -> created TEE@store 1
configure TEE safety@main=none                         -> configured
show TEE                                               -> available=2 on_hand=4 reserved=1 safety_stock=1 sold=2 received=6
