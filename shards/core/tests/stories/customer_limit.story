# {units, window}: open and confirmed units of a customer on a SKU, over all locations, by
# time of reservation.
configure TEE                                          -> created
receive TEE 20                                         -> received on_hand=20
receive TEE 20 at=store                                -> received on_hand=20
reserve r0 TEE 2 customer=ann                          -> created
configure TEE limit=3/1h                               -> configured

# Units from before the limit was first set don't count.
reserve r1 TEE 4 customer=ann                          -> refused customer-limit TEE limit=3 counted=0
reserve r1 TEE 2 customer=ann                          -> created
reserve r2 TEE@store 2 customer=ann                    -> refused customer-limit TEE limit=3 counted=2 frees_at=+1h
reserve r2 TEE@store 1 + TEE@main 1 customer=ann       -> refused customer-limit TEE limit=3 counted=2 frees_at=+1h
reserve r2 TEE@store 1 customer=ann                    -> created
reserve r3 TEE 1 customer=ann                          -> refused customer-limit TEE limit=3 counted=3 frees_at=+1h
reserve r3 TEE 3 customer=ben                          -> created
reserve r4 TEE 1                                       -> refused customer-required TEE

# Confirmed units count, released and expired ones don't.
confirm r1                                             -> confirmed
reserve r5 TEE 1 customer=ann                          -> refused customer-limit TEE limit=3 counted=3 frees_at=+1h
release r2                                             -> released
reserve r5 TEE 1 customer=ann ttl=1s                   -> created
wait 1s                                                -> ok
reserve r6 TEE 1 customer=ann                          -> expired r5; created  # its own lapsed one first

# Where the limit binds, the customer's own lapsed reservations go first, whoever lapsed
# before.
reserve r7 TEE 1 customer=cid ttl=1s                   -> created
release r6                                             -> released
reserve r8 TEE 1 customer=ann ttl=2s                   -> created
wait 5s                                                -> ok
reserve r9 TEE 1 customer=ann                          -> expired r8; created

# The window slides: a unit leaves it one window after it was reserved.
release r9                                             -> released
wait 59m                                               -> ok
reserve r10 TEE 3 customer=ann                         -> refused customer-limit TEE limit=3 counted=2 frees_at=+1h
reserve r10 TEE 1 customer=ann                         -> created
wait 54s                                               -> ok
reserve r11 TEE 2 customer=ann                         -> created
reserve r12 TEE 1 customer=ann                         -> refused customer-limit TEE limit=3 counted=3 frees_at=+7146s

# A lower limit takes nothing away; a higher one frees at once.
configure TEE limit=1/1h                               -> configured
confirm r11                                            -> confirmed
reserve r12 TEE 1 customer=ann                         -> refused customer-limit TEE limit=1 counted=3 frees_at=+2h
configure TEE limit=4/1h                               -> configured
reserve r12 TEE 1 customer=ann                         -> created
configure TEE limit=none                               -> configured
reserve r13 TEE 4                                      -> created
