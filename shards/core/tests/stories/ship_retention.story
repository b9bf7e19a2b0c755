# A confirmed reservation that was shipped whole has ended, and is kept a day; one that was not, 7.
configure TEE                                          -> created
receive TEE 9                                          -> received on_hand=9
reserve r1 TEE 2                                       -> created
reserve r2 TEE 2                                       -> created
reserve r3 TEE 2                                       -> created
confirm r1                                             -> confirmed
confirm r2                                             -> confirmed
confirm r3                                             -> confirmed
advance 1d                                             -> nothing
ship_for r1 TEE 2                                      -> shipped on_hand=3 sold=6 shipped=2
ship_for r2 TEE 1                                      -> shipped on_hand=3 sold=6 shipped=3
cancel r3 TEE 1                                        -> cancelled 1 of 2
ship_for r3 TEE 1                                      -> shipped on_hand=4 sold=5 shipped=4
advance 23h                                            -> nothing
show r1                                                -> confirmed: TEE@main confirmed=2 shipped=2
advance 1h                                             -> forgot r1, r3
advance 5d                                             -> forgot r2
show r2                                                -> reservation-forgotten

# One that is forgotten is as good as none: what was sold leaves all the same.
ship_for r2 TEE 2                                      -> shipped 1 of 2, d1 on_hand=4 sold=5 shipped=5
show TEE                                               -> available=4 on_hand=4 sold=5 shipped=5 received=9
