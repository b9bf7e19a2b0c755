# A confirmed reservation is kept 7 days; one that was cancelled whole has ended, and is kept a day.
configure TEE                                          -> created
receive TEE 9                                          -> received on_hand=9
reserve r1 TEE 1 key=k1                                -> created
reserve r2 TEE 2                                       -> created
reserve r3 TEE 2                                       -> created
confirm r1                                             -> confirmed
confirm r2                                             -> confirmed
confirm r3                                             -> confirmed
advance 1h                                             -> nothing
cancel r1 key=k2                                       -> cancelled
cancel r2 TEE 1                                        -> cancelled 1 of 2
advance 23h                                            -> forgot keys before 1
show r1                                                -> confirmed: TEE@main confirmed=1 cancelled=1
advance 1h                                             -> forgot keys before 2, r1
show r1                                                -> reservation-forgotten
cancel r1                                              -> refused reservation-forgotten
cancel r1 key=k2                                       -> refused reservation-forgotten
advance 5d                                             -> nothing
show r2                                                -> confirmed: TEE@main confirmed=2 cancelled=1

# What is decided last counts: the key of a cancel is kept as long as any.
cancel r3 TEE 1 key=k3                                 -> cancelled 1 of 2
advance 23h                                            -> nothing
advance 1h                                             -> forgot keys before 3, r2
show r3                                                -> confirmed: TEE@main confirmed=2 cancelled=1
cancel r3 key=k4                                       -> cancelled
advance 23h                                            -> nothing
cancel r3 key=k4                                       -> again: now confirmed
advance 2h                                             -> forgot keys before 4, r3
show r3                                                -> reservation-forgotten
show TEE                                               -> available=8 on_hand=8 sold=1 received=9
