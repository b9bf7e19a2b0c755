# A cancelled unit no longer counts for its customer's limit, and that outlives restarts.
configure TEE limit=3/1h                               -> created
receive TEE 9                                          -> received on_hand=9
reserve r1 TEE 3 customer=ann                          -> created
confirm r1                                             -> confirmed
reserve r2 TEE 1 customer=ann                          -> refused customer-limit TEE limit=3 counted=3 frees_at=+1h
cancel r1 TEE 2                                        -> cancelled 2 of 3
reserve r2 TEE 3 customer=ann                          -> refused customer-limit TEE limit=3 counted=1 frees_at=+1h
reserve r2 TEE 2 customer=ann                          -> created
down 1s                                                -> resumed grace=1s
reserve r3 TEE 1 customer=ann                          -> refused customer-limit TEE limit=3 counted=3 frees_at=+1h
cancel r1                                              -> cancelled
reserve r3 TEE 1 customer=ann                          -> created
reserve r4 TEE 1 customer=ann                          -> refused customer-limit TEE limit=3 counted=3 frees_at=+1h

# Units taken again late count from their reservation, and stop to count once cancelled.
reserve r5 TEE 2 customer=ben ttl=1s                   -> created
wait 2s                                                -> ok
confirm r5                                             -> expired r5; confirmed late
reserve r6 TEE 2 customer=ben                          -> refused customer-limit TEE limit=3 counted=2 frees_at=+3601s
cancel r5 TEE 1                                        -> cancelled 1 of 2
reserve r6 TEE 2 customer=ben                          -> created
show TEE                                               -> available=3 on_hand=8 reserved=5 sold=1 received=9 expired=2
