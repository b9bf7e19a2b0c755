# A sale is paused, a hold pinned and released with the keys that are kept for it.
policy keys_max=10
configure TEE                                          -> created
receive TEE 20                                         -> received on_hand=20
reserve r1 TEE 1                                       -> created
receive TEE 1 key=k1                                   -> received on_hand=21
receive TEE 1 key=k2                                   -> received on_hand=22
receive TEE 1 key=k3                                   -> received on_hand=23
receive TEE 1 key=k4                                   -> received on_hand=24
receive TEE 1 key=k5                                   -> received on_hand=25
receive TEE 1 key=k6                                   -> received on_hand=26
receive TEE 1 key=k7                                   -> received on_hand=27
receive TEE 1 key=k8                                   -> received on_hand=28
receive TEE 1 key=k9                                   -> full keys
configure TEE paused=true key=k10                      -> configured
release r1 key=k11                                     -> released
