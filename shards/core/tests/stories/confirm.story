# Confirm sells: on_hand and reserved fall, sold rises.
configure TEE                                          -> created
configure MUG                                          -> created
receive TEE 10                                         -> received on_hand=10
receive MUG 10                                         -> received on_hand=10
receive TEE 4 at=store                                 -> received on_hand=4

reserve r1 TEE 2 + MUG 1                               -> created
confirm r1 payment=p1                                  -> confirmed
show r1                                                -> confirmed: TEE@main confirmed=2 + MUG@main confirmed=1; payment=p1
show TEE@main                                          -> available=8 on_hand=8 sold=2 received=10

# Part of it; the rest is kept with its deadline, or released, as the caller says.
reserve r2 TEE 3 + MUG 2 ttl=10s                       -> created
confirm r2 TEE 1 rest=keep                             -> confirmed open=4 confirmed=1
show r2                                                -> open: TEE@main open=2 confirmed=1 + MUG@main open=2; until=+10s
confirm r2 MUG 1 rest=release                          -> confirmed confirmed=2 released=3
show r2                                                -> confirmed: TEE@main confirmed=1 released=2 + MUG@main confirmed=1 released=1

# Without lines: all open units.
reserve r3 TEE 3 ttl=10s                               -> created
confirm r3 TEE 1 rest=keep                             -> confirmed open=2 confirmed=1
confirm r3                                             -> confirmed

# Over-confirming is refused, not clipped.
reserve r4 TEE 2 + MUG 1                               -> created
confirm r4 TEE 3 rest=keep                             -> refused over-confirm TEE open=2
confirm r4 TEE 3 + MUG 2 rest=keep                     -> refused over-confirm TEE open=2 + MUG open=1
confirm r4 CAP 1 rest=keep                             -> refused over-confirm CAP open=0
confirm r4 TEE@store 1 rest=keep                       -> refused over-confirm TEE@store open=0
show r4                                                -> open: TEE@main open=2 + MUG@main open=1; until=+10m

# A line without a location acts on its holds in the answer's order.
reserve r5 TEE@store 2 + TEE@main 2                    -> created
confirm r5 TEE 3 rest=keep                             -> confirmed open=1 confirmed=3
show r5                                                -> open: TEE@store confirmed=2 + TEE@main open=1 confirmed=1; until=+10m
confirm r5 TEE@main 1 rest=keep                        -> confirmed

# Confirmed already: as it stands, whatever the key, unless it names another payment.
confirm r1                                             -> as it stands, confirmed
confirm r1 payment=p1 key=k1                           -> as it stands, confirmed
confirm r1 TEE 2 rest=release                          -> as it stands, confirmed
confirm r1 payment=p2                                  -> refused confirmed-by-other-payment first=p1
confirm r1 TEE 1 rest=keep payment=p2                  -> refused confirmed-by-other-payment first=p1
confirm r9                                             -> refused unknown-reservation

# A paused or closed sale does not bind it.
configure TEE paused=true closes=+0s                   -> configured
confirm r4 payment=p4                                  -> confirmed
