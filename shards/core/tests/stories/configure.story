# A SKU is created by configuring it: absent is unchanged, none clears, If-Match is honoured.
configure TEE if=1                                     -> refused version-changed expected=1 actual=0
configure TEE if=0                                     -> created
configure TEE if=0                                     -> refused version-changed expected=0 actual=1
configure TEE safety@store=2 if=1                      -> configured
configure TEE safety@store=2                           -> as it stands
configure TEE limit=2/1h                               -> configured
configure TEE paused=true if=2                         -> refused version-changed expected=2 actual=3
receive TEE 9 at=store                                 -> received on_hand=9
configure TEE paused=true if=3                         -> configured  # movements don't touch config_version
configure TEE paused=none                              -> configured
reserve r1 TEE 1                                       -> refused customer-required TEE  # the limit is unchanged
configure TEE limit=none                               -> configured
reserve r1 TEE 7                                       -> created TEE@store 7

# With a key: the first outcome.
configure MUG key=k1                                   -> created
configure MUG key=k1                                   -> again: created
configure MUG paused=true key=k1                       -> refused idempotency-key-reused
