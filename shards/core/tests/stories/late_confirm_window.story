# The late window: 24 hours from the deadline. Past it, time itself is the answer, and nothing
# is recorded.
policy retention=30h
configure TEE                                          -> created
receive TEE 2                                          -> received on_hand=2
reserve r1 TEE 1 ttl=1s                                -> created
reserve r2 TEE 1 ttl=1s                                -> created
advance 1s                                             -> expired r1, r2
advance 24h                                            -> nothing
confirm r1                                             -> confirmed late
advance 1ms                                            -> nothing
confirm r2                                             -> refused reservation-expired late-window
confirm r2 late=refuse                                 -> refused reservation-expired late-window
show TEE                                               -> available=1 on_hand=1 sold=1 received=2 expired=2
