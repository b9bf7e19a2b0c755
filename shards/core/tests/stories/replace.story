# A reserve may take the place of an earlier one of the same customer and order reference.
configure TEE limit=3/1h                               -> created
configure MUG                                          -> created
receive TEE 3                                          -> received on_hand=3
receive MUG 1                                          -> received on_hand=1

reserve r1 TEE 2 customer=ann order=o1 ttl=10m         -> created
reserve r2 TEE 3 + MUG 1 customer=ann order=o1 replace=r1 -> created
show r1                                                -> released: TEE@main released=2; replaced_by r2
show r2                                                -> open: TEE@main open=3 + MUG@main open=1; until=+10m; replaces r1
show TEE                                               -> available=0 on_hand=3 reserved=3 received=3 released=2

# The new one is refused: the old one is untouched.
reserve r3 TEE 3 + MUG 2 customer=ann order=o1 replace=r2 -> refused insufficient-stock available=1
reserve r3 TEE 4 customer=ann order=o1 replace=r2      -> refused customer-limit TEE limit=3 counted=0
reserve r3 TEE 1 customer=ben order=o1 replace=r2      -> refused replace-mismatch r2
reserve r3 TEE 1 customer=ann order=o2 replace=r2      -> refused replace-mismatch r2
reserve r3 TEE 1 customer=ann replace=r2               -> refused replace-mismatch r2
reserve r3 MUG 1 order=o1 replace=r2                   -> refused replace-mismatch r2
show r2                                                -> open: TEE@main open=3 + MUG@main open=1; until=+10m; replaces r1

# An absent customer equals an absent one; the order reference must be there.
reserve r4 MUG 1 customer=ann order=o1 replace=r2      -> created
release r4                                             -> released
reserve r5 MUG 1 order=o5                              -> created
reserve r6 MUG 1 order=o5 replace=r5                   -> created
release r6                                             -> released
reserve r7 MUG 1                                       -> created
reserve r8 MUG 1 replace=r7                            -> refused replace-mismatch r7
release r7                                             -> released

# Ended: ignored, whoever asks.
reserve r9 MUG 1 customer=ben replace=r5               -> created
show r9                                                -> open: MUG@main open=1; until=+10m
release r9                                             -> released
reserve r10 MUG 1 ttl=1s order=o1                      -> created
wait 1s                                                -> ok
reserve r11 MUG 1 order=o1 replace=r10                 -> expired r10; created
show r11                                               -> open: MUG@main open=1; until=+601s
release r11                                            -> released

# Confirm after replace names the one that took its place.
confirm r5                                             -> refused reservation-released at=+0s replaced_by=r6
