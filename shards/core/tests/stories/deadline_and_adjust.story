# An adjustment meets lapsed holds as every command does: units whose time has passed are no
# reason to refuse it, and no shortfall.
configure TEE                                          -> created
receive TEE 3                                          -> received on_hand=3
reserve r1 TEE 2 ttl=1s                                -> created
adjust TEE -2                                          -> refused below-reserved on_hand=3 reserved=2
wait 1s                                                -> ok
adjust TEE -2                                          -> expired r1; adjusted on_hand=1

receive TEE 2                                          -> received on_hand=3
reserve r2 TEE 2 ttl=1s                                -> created
wait 1s                                                -> ok
adjust TEE -3 force                                    -> expired r2; adjusted on_hand=0
show TEE                                               -> available=0 received=5 adjusted=-5 expired=4
