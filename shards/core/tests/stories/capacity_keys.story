# The last fifth of the table of keys is kept for what ends or pins a hold and for pausing a sale:
# a payment does not wait for a table that receipts and reserves have filled.
policy keys_max=10
configure TEE                                          -> created
receive TEE 20                                         -> received on_hand=20
reserve r1 TEE 1 key=k1                                -> created
reserve r2 TEE 1 key=k2                                -> created
reserve r3 TEE 1 key=k3                                -> created
receive TEE 1 key=k4                                   -> received on_hand=21
receive TEE 1 key=k5                                   -> received on_hand=22
receive TEE 1 key=k6                                   -> received on_hand=23
receive TEE 1 key=k7                                   -> received on_hand=24
receive TEE 1 key=k8                                   -> received on_hand=25
receive TEE 1 key=k9                                   -> full keys
reserve r4 TEE 1 key=k9                                -> full keys
configure TEE safety@main=1 key=k9                     -> full keys

# Extends come as often as a caller likes, so they may take half of it.
extend r1 ttl=20m key=k10                              -> extended until=+20m
extend r2 ttl=20m key=k11                              -> full keys
confirm r1 key=k12                                     -> confirmed
release r2 key=k13                                     -> full keys
configure TEE paused=true key=k14                      -> full keys
confirm r1 key=k12                                     -> again: now confirmed

# Without a key nothing waits for the table.
release r2                                             -> released
