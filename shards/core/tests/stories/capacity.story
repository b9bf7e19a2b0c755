# One bound on reservations, open and ended together: when it is full, new ones are refused,
# and none is dropped early.
policy reservations_max=2 keys_max=3 skus_max=2
configure TEE                                          -> created
configure MUG                                          -> created
configure CAP                                          -> full skus
receive TEE 9                                          -> received on_hand=9
reserve r1 TEE 1                                       -> created
reserve r2 TEE 1                                       -> created
reserve r3 TEE 1                                       -> full reservations
release r1                                             -> released
reserve r3 TEE 1                                       -> full reservations
show r1                                                -> released: TEE@main released=1

# What is refused anyway is refused for its own reason.
reserve r3 NIX 1                                       -> refused unknown-sku NIX
reserve r3 TEE 99                                      -> refused insufficient-stock available=8

# What takes no place goes on.
extend r2 ttl=20m key=k1                               -> extended until=+20m
confirm r2 key=k2                                      -> confirmed
advance 24h                                            -> forgot keys before 2, r1
reserve r3 TEE 1 key=k3                                -> created
reserve r4 TEE 1                                       -> full reservations

# Keys have a bound of their own; repeats of known ones need no place.
release r3 key=k4                                      -> released
receive TEE 1 key=k5                                   -> received on_hand=9
receive TEE 1 key=k6                                   -> full keys
receive TEE 1 key=k5                                   -> again: received on_hand=9
receive TEE 1                                          -> received on_hand=10
