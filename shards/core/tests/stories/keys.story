# An idempotency key again. Same content: the first outcome, and no second effect.
configure TEE                                          -> created
receive TEE 5                                          -> received on_hand=5
reserve r1 TEE 2 key=k1                                -> created
reserve r1 TEE 2 key=k1                                -> again: created, now open
show TEE                                               -> available=3 on_hand=5 reserved=2 received=5

# Other content: refused, and the first is untouched.
reserve r2 TEE 1 key=k1                                -> refused idempotency-key-reused
release r1 key=k1                                      -> refused idempotency-key-reused
reserve r1 TEE 2 key=k1                                -> again: created, now open

# A command that recorded nothing keeps no key: the retry is a fresh try, with other content
# even.
reserve r2 TEE 4 key=k2                                -> refused insufficient-stock available=3
receive TEE 1                                          -> received on_hand=6
reserve r2 TEE 4 key=k2                                -> created
extend r2 ttl=5m key=k3                                -> as it stands, open
extend r2 ttl=20m key=k3                               -> extended until=+20m

# The outcome is repeated though the world has moved on; the reservation is as it stands.
release r2                                             -> released
reserve r2 TEE 4 key=k2                                -> again: created, now released
extend r2 ttl=20m key=k3                               -> again: now released

# An expiry that a refused command met is recorded; its key is free all the same.
reserve r3 TEE 4 ttl=1s                                -> created
wait 1s                                                -> ok
reserve r4 TEE 5 key=k4                                -> expired r3; refused insufficient-stock available=4
reserve r4 TEE 4 key=k4                                -> created
