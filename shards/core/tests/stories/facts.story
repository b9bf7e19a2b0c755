# Facts are not refused: they are applied as far as the counters allow, and the rest is a drift.
configure TEE                                          -> created
receive TEE 5                                          -> received on_hand=5
reserve r1 TEE 3                                       -> created
confirm r1                                             -> confirmed
ship TEE 2                                             -> shipped on_hand=2 sold=3 shipped=2
ship TEE 3                                             -> shipped 1 of 3, d1 on_hand=2 sold=3 shipped=3  # one more was sold; there are two that can be sold, so they must have left
show d1                                                -> shipped-unsold TEE@main expected=1 found=3 propose: adjust -2; open
show TEE                                               -> available=2 on_hand=2 sold=3 shipped=3 received=5
return TEE 5                                           -> returned 3 of 5, d2 returned=3 returns_received=3  # three have left
show d2                                                -> returned-unshipped TEE@main expected=3 found=5 propose: adjust +2; open
damage TEE 1 from=returned                             -> damaged on_hand=2 returned=2 damaged=1
damage TEE 9 from=returned                             -> damaged 2 of 9, d3 on_hand=2 returned=0 damaged=3
show d3                                                -> damaged-missing TEE@main expected=2 found=9 propose: look; open
damage TEE 1                                           -> damaged on_hand=1 returned=0 damaged=4
damage TEE 1 at=moon                                   -> damaged 0 of 1, d4 on_hand=0 returned=0 damaged=0  # a fact makes a location known
show TEE                                               -> available=1 on_hand=1 sold=3 shipped=3 damaged=4 received=5 returns_received=3

# What is approved is an adjustment that names the drift; a second one is a conflict.
approve d1                                             -> refused drift-conflict  # the units are not there any more
receive TEE 2                                          -> received on_hand=3
approve d1                                             -> d1 shipped-unsold TEE@main expected=1 found=3 propose: adjust -2; corrected
approve d1                                             -> refused drift-conflict
show d1                                                -> shipped-unsold TEE@main expected=1 found=3 propose: adjust -2; corrected
show TEE                                               -> available=1 on_hand=1 sold=3 shipped=3 damaged=4 received=7 returns_received=3 adjusted=-2
dismiss d2 reason=counted-twice                        -> d2 returned-unshipped TEE@main expected=3 found=5 propose: adjust +2; dismissed: counted-twice
show d2                                                -> returned-unshipped TEE@main expected=3 found=5 propose: adjust +2; dismissed: counted-twice
approve d3                                             -> refused drift-conflict
dismiss d3 reason=looked                               -> d3 damaged-missing TEE@main expected=2 found=9 propose: look; dismissed: looked
approve d9                                             -> refused unknown-drift
