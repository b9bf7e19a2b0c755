# A late confirm is counted by the time of its reservation: what was reserved a window later
# does not stand in its way, for no window ever held both.
configure TEE limit=3/1m                               -> created
receive TEE 20                                         -> received on_hand=20
reserve r1 TEE 3 ttl=1s customer=ann                   -> created
advance 70s                                            -> expired r1
reserve r2 TEE 3 customer=ann                          -> created
confirm r2                                             -> confirmed
advance 10s                                            -> nothing
confirm r1                                             -> confirmed late

# What was reserved within a window of it does, also when the payment comes long after.
reserve r3 TEE 3 ttl=1s customer=ben                   -> created
advance 50s                                            -> expired r3
reserve r4 TEE 1 customer=ben                          -> created
confirm r4                                             -> confirmed
advance 65s                                            -> nothing
confirm r3                                             -> refused reservation-expired customer-limit, recorded

# Between two that are near it, each window counts for itself.
reserve r5 TEE 2 customer=cid                          -> created
advance 40s                                            -> nothing
reserve r6 TEE 1 ttl=1s customer=cid                   -> created
advance 40s                                            -> expired r6
reserve r7 TEE 2 customer=cid                          -> created
confirm r6                                             -> confirmed late
