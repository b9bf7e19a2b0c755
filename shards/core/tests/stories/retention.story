# Keys live 24 hours and while their reservation is open; ended reservations 24 hours,
# confirmed ones 7 days. After that: reservation-forgotten, and a key is as good as new.
configure TEE key=k0                                   -> created
receive TEE 9                                          -> received on_hand=9
reserve r1 TEE 1 key=k1                                -> created
reserve r2 TEE 1 key=k2                                -> created
reserve r3 TEE 1 key=k3                                -> created
release r1                                             -> released
confirm r2                                             -> confirmed
advance 10m                                            -> expired r3
advance 23h                                            -> nothing
show r1                                                -> released: TEE@main released=1
reserve r1 TEE 1 key=k1                                -> again: created, now released
advance 50m                                            -> forgot keys before 4, r1
show r1                                                -> reservation-forgotten
confirm r1                                             -> refused reservation-forgotten
release r1                                             -> refused reservation-forgotten
extend r1 ttl=10s                                      -> refused reservation-forgotten
show r3                                                -> expired: TEE@main expired=1
show r9                                                -> unknown-sku
confirm r9                                             -> refused unknown-reservation
advance 10m                                            -> forgot r3
advance 5d                                             -> nothing
show r2                                                -> confirmed: TEE@main confirmed=1
advance 2d                                             -> forgot r2
show r2                                                -> reservation-forgotten

# Counters remember.
show TEE                                               -> available=8 on_hand=8 sold=1 received=9 released=1 expired=1

# The key is as good as new.
reserve r4 TEE 1 key=k1                                -> created
