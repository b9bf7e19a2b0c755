# What counts does not depend on when the past is swept: a limit that is lifted and set again
# finds what was reserved under it.
configure TEE limit=2/1h                               -> created
receive TEE 9                                          -> received on_hand=9
reserve r1 TEE 2 customer=ann                          -> created
configure TEE limit=none                               -> configured
confirm r1                                             -> confirmed
sweep                                                  -> nothing
configure TEE limit=2/1h                               -> configured
reserve r2 TEE 1 customer=ann                          -> refused customer-limit TEE limit=2 counted=2 frees_at=+1h

# Nor does a wider window.
configure TEE limit=2/1m                               -> configured
reserve r3 TEE 2 customer=ben                          -> created
confirm r3                                             -> confirmed
advance 2m                                             -> nothing
configure TEE limit=2/1h                               -> configured
reserve r4 TEE 1 customer=ben                          -> refused customer-limit TEE limit=2 counted=2 frees_at=+1h
