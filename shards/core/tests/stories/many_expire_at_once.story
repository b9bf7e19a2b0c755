# Many holds expire at once: at most a bounded number a turn, and correctness does not depend
# on the sweep.
policy expire_per_turn=2
configure TEE                                          -> created
receive TEE 7                                          -> received on_hand=7
reserve r1 TEE 1 ttl=1s                                -> created
reserve r2 TEE 1 ttl=2s                                -> created
reserve r3 TEE 1 ttl=3s                                -> created
reserve r4 TEE 1 ttl=4s                                -> created
reserve r5 TEE 1 ttl=5s                                -> created
reserve r6 TEE 1 ttl=6s                                -> created
reserve r7 TEE 1 ttl=7s                                -> created
wait 10s                                               -> ok
sweep                                                  -> expired r1, r2
show TEE                                               -> available=2 on_hand=7 reserved=5 received=7 expired=2
show r7                                                -> expired: TEE@main expired=1

# A command that needs more than the sweep has brought goes on by itself, as far as it must.
reserve r8 TEE 5 ttl=30s                               -> expired r3, r4, r5; created
sweep                                                  -> expired r6, r7
sweep                                                  -> nothing
show TEE                                               -> available=2 on_hand=7 reserved=5 received=7 expired=7
