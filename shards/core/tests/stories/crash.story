# What was recorded is there after a crash, whatever was written of the state: keys, holds,
# and the numbers that are never given twice.
configure TEE limit=9/1h                               -> created
receive TEE 9 key=k1                                   -> received on_hand=9
chunks 2                                               -> ok
reserve r1 TEE 2 customer=ann key=k2                   -> created
chunks 9                                               -> ok
reserve r2 TEE 2 customer=ann key=k3 ttl=1s            -> created
confirm r1 TEE 1 rest=keep payment=p1 key=k4           -> confirmed open=1 confirmed=1
down 0s                                                -> resumed grace=0ms
down 0s                                                -> resumed grace=0ms
receive TEE 9 key=k1                                   -> again: received on_hand=8
reserve r1 TEE 2 customer=ann key=k2                   -> again: created, now open
confirm r1 TEE 1 rest=keep payment=p1 key=k4           -> again: now open
show TEE                                               -> available=5 on_hand=8 reserved=3 sold=1 received=9
reserve r3 TEE 6 customer=ann                          -> refused customer-limit TEE limit=9 counted=4 frees_at=+1h
advance 1s                                             -> expired r2
reserve r3 TEE 7 customer=ann                          -> created
