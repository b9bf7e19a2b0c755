# A command repeated as it was gives its first outcome and no second effect.
configure TEE key=k0                                   -> created
configure TEE key=k0                                   -> again: created
receive TEE 5 key=k1                                   -> received on_hand=5
receive TEE 5 key=k1                                   -> again: received on_hand=5
adjust TEE -1 key=k2                                   -> adjusted on_hand=4
receive TEE 1                                          -> received on_hand=5
adjust TEE -1 key=k2                                   -> again: adjusted on_hand=5  # the SKU as it stands now

reserve r1 TEE 2 key=k3                                -> created
reserve r1 TEE 2 key=k3                                -> again: created, now open
extend r1 ttl=20m key=k4                               -> extended until=+20m
extend r1 ttl=20m key=k4                               -> again: now open
pin r1 for=1m key=k5                                   -> pinned until=+20m
pin r1 for=1m key=k5                                   -> again: now open
confirm r1 TEE 1 rest=keep payment=p1 key=k6           -> confirmed open=1 confirmed=1
confirm r1 TEE 1 rest=keep payment=p1 key=k6           -> again: now open
show TEE                                               -> available=3 on_hand=4 reserved=1 sold=1 received=6 adjusted=-1
release r1 TEE 1 key=k7                                -> released confirmed=1 released=1
release r1 TEE 1 key=k7                                -> again: now confirmed

# The first outcome, however it stands by now.
reserve r1 TEE 2 key=k3                                -> again: created, now confirmed
confirm r1 TEE 1 rest=keep payment=p1 key=k6           -> again: now confirmed

# A final refusal is an outcome too.
reserve r2 TEE 1 ttl=1s                                -> created
advance 1s                                             -> expired r2
confirm r2 late=refuse key=k8                          -> refused reservation-expired late-refused, recorded
confirm r2 late=refuse key=k8                          -> again: refused reservation-expired late-refused
