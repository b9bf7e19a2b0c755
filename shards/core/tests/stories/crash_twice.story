# A number is never given twice. The chunk of the hold was written, the shard's own, which
# counts the holds, was not; after the first crash the count was right in memory and wrong on
# disk for ever, so the second crash gave the number of a hold again.
configure TEE                                          -> created
configure MUG                                          -> created
configure CAP                                          -> created
receive TEE 5                                          -> received on_hand=5
receive MUG 5                                          -> received on_hand=5
reserve r1 TEE 1                                       -> created
chunks 5                                               -> ok
down 0s                                                -> resumed grace=0ms
confirm r1                                             -> confirmed
chunks 1                                               -> ok
down 0s                                                -> resumed grace=0ms
reserve r2 TEE 1                                       -> created
show r2                                                -> open: TEE@main open=1; until=+10m
chunks 9                                               -> ok
down 0s                                                -> resumed grace=0ms
show r2                                                -> open: TEE@main open=1; until=+10m

# A key that was forgotten stays forgotten, whatever chunks were written when; and a
# reservation stays as long as a key that is kept names it.
reserve r3 MUG 1 key=k1                                -> created
reserve r4 MUG 1 key=k2                                -> created
confirm r4 key=k3                                      -> confirmed
chunks 2                                               -> ok
down 8d                                                -> resumed grace=1m
sweep                                                  -> nothing
show r4                                                -> confirmed: MUG@main confirmed=1
chunks 9                                               -> ok
reserve r4 MUG 1 key=k2                                -> again: created, now confirmed
advance 2m                                             -> expired r3, r2; forgot keys before 3, r1, r4
down 0s                                                -> resumed grace=0ms
reserve r4 MUG 1 key=k2                                -> created

# A deadline is listed once, however often the hold was touched: a part was confirmed, the
# rest pinned, and the timer found a hold that had gone.
reserve r5 TEE 1                                       -> created
reserve r6 TEE 1                                       -> created
reserve r7 TEE 2                                       -> created
confirm r5                                             -> confirmed
confirm r7 TEE 1 rest=keep                             -> confirmed open=1 confirmed=1
confirm r6                                             -> confirmed
pin r7 for=12m                                         -> pinned until=+11534m
confirm r7                                             -> confirmed
advance 20m                                            -> expired r4
