# Less is there than is reserved: the fact is accepted (here by a forced adjustment), the
# holds stay, and a confirm that needs more than there is says how much could be confirmed.
configure TEE                                          -> created
receive TEE 5                                          -> received on_hand=5
reserve r1 TEE 2                                       -> created
reserve r2 TEE 2                                       -> created
adjust TEE -3                                          -> refused below-reserved on_hand=5 reserved=4
adjust TEE -6 force                                    -> refused would-go-negative on_hand=5
adjust TEE -4 force                                    -> adjusted on_hand=1 shortfall=3
show TEE                                               -> available=0 on_hand=1 reserved=4 received=5 adjusted=-4 shortfall=3

reserve r3 TEE 1                                       -> refused insufficient-stock available=0
confirm r1                                             -> refused shortfall TEE@main confirmable=1
show r1                                                -> open: TEE@main open=2; until=+10m
confirm r1 TEE 1 rest=keep                             -> confirmed open=1 confirmed=1
confirm r2                                             -> refused shortfall TEE@main confirmable=0

# Receipts heal the shortfall before they become available.
receive TEE 2                                          -> received on_hand=2
show TEE                                               -> available=0 on_hand=2 reserved=3 sold=1 received=7 adjusted=-4 shortfall=1
receive TEE 2                                          -> received on_hand=4
show TEE                                               -> available=1 on_hand=4 reserved=3 sold=1 received=9 adjusted=-4
confirm r1                                             -> confirmed
confirm r2                                             -> confirmed

# A shortfall that shrinks is not reported as one that grew.
reserve r4 TEE 1                                       -> created
adjust TEE -1 force                                    -> adjusted on_hand=0 shortfall=1
adjust TEE +1                                          -> adjusted on_hand=1
