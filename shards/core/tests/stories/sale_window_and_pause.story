# Reserve before opens_at, from closes_at on, or while paused is refused, and changes nothing.
configure TEE opens=+10s closes=+20s                   -> created
receive TEE 5                                          -> received on_hand=5
wait 9999ms                                            -> ok
reserve r1 TEE 1                                       -> refused sale-closed TEE opens=+10s closes=+20s
wait 1ms                                               -> ok
reserve r1 TEE 1                                       -> created
reserve r2 TEE 1 order=o1                              -> created
wait 9999ms                                            -> ok
reserve r3 TEE 1                                       -> created
wait 1ms                                               -> ok
reserve r4 TEE 1                                       -> refused sale-closed TEE opens=+10s closes=+20s
reserve r4 TEE 1 order=o1 replace=r2                   -> refused sale-closed TEE opens=+10s closes=+20s
show TEE                                               -> available=2 on_hand=5 reserved=3 received=5

# What is held is held: it is extended, pinned, confirmed and released as ever.
extend r1 ttl=15m                                      -> extended until=+920s
pin r2 for=15m                                         -> pinned until=+920s
confirm r1                                             -> confirmed
release r3                                             -> released

configure TEE closes=none                              -> configured
reserve r5 TEE 1                                       -> created
configure TEE paused=true                              -> configured
reserve r6 TEE 1                                       -> refused sale-paused TEE
confirm r5                                             -> confirmed
configure TEE paused=false                             -> configured
reserve r6 TEE 1                                       -> created

# A pause lets expired holds lie: a refusal that needs no units meets none.
reserve r7 TEE 1 ttl=1s                                -> created
wait 1s                                                -> ok
configure TEE paused=true                              -> configured
reserve r8 TEE 1                                       -> refused sale-paused TEE
