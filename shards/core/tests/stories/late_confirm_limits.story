# A late confirm is bound by what binds a reserve: safety stock, the customer's limit, the
# sale's window and its pause. Limit and stock are final; a pause is not.
configure TEE                                          -> created
receive TEE 2                                          -> received on_hand=2
reserve r1 TEE 2 ttl=1s                                -> created
advance 1s                                             -> expired r1

configure TEE paused=true                              -> configured
confirm r1                                             -> refused sale-paused TEE
configure TEE paused=none closes=+0s                   -> configured
confirm r1                                             -> refused sale-closed TEE closes=+0s
configure TEE closes=none                              -> configured

# Safety stock is never used for it.
configure TEE safety@main=1                            -> configured
confirm r1                                             -> refused reservation-expired sold-out, recorded

configure TEE safety@main=0 limit=2/1h                 -> configured
receive TEE 8                                          -> received on_hand=10
reserve r2 TEE 1 ttl=1s customer=ann                   -> created
advance 1s                                             -> expired r2
reserve r3 TEE 2 customer=ann                          -> created
confirm r2                                             -> refused reservation-expired customer-limit, recorded
release r3                                             -> released
confirm r2                                             -> refused reservation-expired customer-limit

# Its own expired units don't count against it.
reserve r4 TEE 2 ttl=1s customer=ann                   -> created
wait 1s                                                -> ok
confirm r4                                             -> expired r4; confirmed late

# While sales are paused, a confirm in time goes through.
reserve r5 TEE 1 customer=ben                          -> created
configure TEE paused=true                              -> configured
confirm r5                                             -> confirmed

# late=refuse asks for no units, so a pause does not keep it from being final.
configure TEE paused=none                              -> configured
reserve r6 TEE 1 ttl=1s customer=ben                   -> created
advance 1s                                             -> expired r6
configure TEE paused=true                              -> configured
confirm r6 late=refuse                                 -> refused reservation-expired late-refused, recorded

# Units taken late count from the time of their reservation, not of the payment.
configure MUG limit=2/30s                              -> created
receive MUG 9                                          -> received on_hand=9
reserve m1 MUG 2 ttl=1s customer=eve                   -> created
advance 20s                                            -> expired m1
confirm m1                                             -> confirmed late
reserve m2 MUG 2 customer=eve                          -> refused customer-limit MUG limit=2 counted=2 frees_at=+34s
advance 10s                                            -> nothing
reserve m3 MUG 2 customer=eve                          -> created
