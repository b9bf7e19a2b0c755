# Cancel takes back confirmed units before shipment, all or some lines: sold -q, on_hand +q.
configure TEE                                          -> created
configure MUG                                          -> created
receive TEE 5                                          -> received on_hand=5
receive MUG 5                                          -> received on_hand=5
reserve r1 TEE 2 + MUG 3                               -> created
cancel r1                                              -> refused over-cancel TEE@main cancellable=0 + MUG@main cancellable=0  # nothing was sold yet
confirm r1                                             -> confirmed
show TEE                                               -> available=3 on_hand=3 sold=2 received=5
cancel r1 MUG 4                                        -> refused over-cancel MUG cancellable=3
cancel r1 MUG 1 reason=scratched key=k1                -> cancelled 1 of 5
cancel r1 MUG 1 reason=scratched key=k1                -> again: now confirmed
cancel r1 MUG 2 key=k1                                 -> refused idempotency-key-reused
show r1                                                -> confirmed: TEE@main confirmed=2 + MUG@main confirmed=3 cancelled=1
show MUG                                               -> available=3 on_hand=3 sold=2 received=5
cancel r1 MUG 3                                        -> refused over-cancel MUG cancellable=2  # not more than is left
cancel r1                                              -> cancelled  # the rest
show r1                                                -> confirmed: TEE@main confirmed=2 cancelled=2 + MUG@main confirmed=3 cancelled=3
show TEE                                               -> available=5 on_hand=5 received=5
cancel r1                                              -> as it stands, confirmed
cancel r1 TEE 1                                        -> refused over-cancel TEE cancellable=0
confirm r1                                             -> as it stands, confirmed  # every unit was confirmed
release r1                                             -> refused reservation-confirmed

# What is still open stays open, and can be confirmed after.
reserve r2 TEE 4                                       -> created
confirm r2 TEE 2 rest=keep                             -> confirmed open=2 confirmed=2
cancel r2                                              -> cancelled
show r2                                                -> open: TEE@main open=2 confirmed=2 cancelled=2; until=+10m
confirm r2                                             -> confirmed
show r2                                                -> confirmed: TEE@main confirmed=4 cancelled=2
cancel r2                                              -> cancelled
show TEE                                               -> available=5 on_hand=5 received=5

# Who never bought can't cancel.
reserve r3 TEE 1                                       -> created
release r3                                             -> released
cancel r3                                              -> refused over-cancel TEE@main cancellable=0
reserve r4 TEE 1 ttl=1s                                -> created
wait 2s                                                -> ok
cancel r4                                              -> expired r4; refused over-cancel TEE@main cancellable=0
show r4                                                -> expired: TEE@main expired=1
confirm r4                                             -> confirmed late
cancel r4                                              -> cancelled
cancel r9                                              -> refused unknown-reservation
