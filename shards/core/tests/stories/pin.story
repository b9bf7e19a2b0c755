# Before it takes a payment, the order service may pin a reservation once.
configure TEE                                          -> created
receive TEE 9                                          -> received on_hand=9
reserve r1 TEE 1 ttl=10s                               -> created
pin r1 for=20s                                         -> pinned until=+20s
show r1                                                -> open: TEE@main open=1; until=+20s pinned_until=+20s
pin r1 for=30s                                         -> refused already-pinned until=+20s

# It never shortens: max(expires_at, now + for).
reserve r2 TEE 1 ttl=30s                               -> created
pin r2 for=10s                                         -> pinned until=+30s

# At most 15 minutes, but beyond the longest life if need be.
reserve r3 TEE 1 ttl=30m                               -> created
pin r3 for=901s                                        -> refused ttl-limit max=15m
wait 29m                                               -> ok
extend r3 ttl=30m                                      -> extended until=+59m
wait 29m                                               -> ok
pin r3 for=15m                                         -> pinned until=+73m
extend r3 ttl=3m                                       -> refused ttl-limit max=2m

# Pinned, it can't be replaced; release and confirm stay allowed.
reserve r4 TEE 1 order=o1                              -> created
pin r4 for=11m                                         -> pinned until=+69m
reserve r5 TEE 1 order=o1 replace=r4                   -> refused reservation-pinned r4 until=+69m
release r4                                             -> released
confirm r3 payment=p1                                  -> confirmed
pin r3 for=10s                                         -> refused reservation-confirmed
pin r4 for=10s                                         -> refused reservation-released at=+58m

# At its end it expires like any other.
reserve r6 TEE 1 ttl=1s                                -> created
pin r6 for=10s                                         -> pinned until=+3490s
advance 9999ms                                         -> expired r1, r2
advance 1ms                                            -> expired r6
pin r6 for=10s                                         -> refused reservation-expired
