# The longest life runs from the first of the chain.
configure TEE                                          -> created
receive TEE 1                                          -> received on_hand=1
reserve r1 TEE 1 order=o1 ttl=30m                      -> created
wait 25m                                               -> ok
reserve r2 TEE 1 order=o1 ttl=30m replace=r1           -> created
wait 25m                                               -> ok
reserve r3 TEE 1 order=o1 ttl=30m replace=r2           -> refused ttl-limit max=10m
reserve r3 TEE 1 order=o1 replace=r2                   -> created  # the default just fits
extend r3 ttl=11m                                      -> refused ttl-limit max=10m
wait 10m                                               -> ok
show r3                                                -> expired: TEE@main expired=1; replaces r2

# Paused and closed sales bind it: the old one stays.
reserve r4 TEE 1 order=o1                              -> expired r3; created
configure TEE paused=true                              -> configured
reserve r5 TEE 1 order=o1 replace=r4                   -> refused sale-paused TEE
show r4                                                -> open: TEE@main open=1; until=+70m
configure TEE paused=none                              -> configured

# Confirmed in part: its open units pass on, what was sold stays sold.
receive TEE 2                                          -> received on_hand=3
reserve r6 TEE 2 order=o6                              -> created
confirm r6 TEE 1 rest=keep                             -> confirmed open=1 confirmed=1
reserve r7 TEE 1 order=o6 replace=r6                   -> created
show r6                                                -> confirmed: TEE@main confirmed=1 released=1; replaced_by r7
show TEE                                               -> available=0 on_hand=2 reserved=2 sold=1 received=3 released=3 expired=1
