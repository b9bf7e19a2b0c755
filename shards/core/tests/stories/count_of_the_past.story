# A count names when it was taken; what happened since is not its business.
configure TEE                                          -> created
receive TEE 10                                         -> received on_hand=10
wait 1m                                                -> ok
receive TEE 5                                          -> received on_hand=15
wait 1m                                                -> ok
count TEE 8 taken=+30s                                 -> counted on_hand=13 adjusted=-2
show TEE                                               -> available=13 on_hand=13 received=15 adjusted=-2
# The correction of a count belongs to its moment, however late it was recorded.
count TEE 8 taken=+30s                                 -> counted on_hand=13 adjusted=-2
# One taken before the newest is stale.
wait 1m                                                -> ok
count TEE 7 taken=+10s                                 -> counted stale on_hand=13 adjusted=-2
count TEE 12 taken=+2m                                 -> counted on_hand=12 adjusted=-3
count TEE 13                                           -> counted on_hand=13 adjusted=-2

# What happened before a count and is told later was seen by it: it books its flow, and what the
# count found stays.
configure MUG                                          -> created
receive MUG 6                                          -> received on_hand=6
wait 1m                                                -> ok
count MUG 9                                            -> counted on_hand=9 adjusted=3
receive MUG 3 occurred=+2m                             -> received superseded on_hand=9
show MUG                                               -> available=9 on_hand=9 received=9
receive MUG 3 occurred=+1h                             -> received on_hand=12
reserve r1 MUG 4                                       -> created
confirm r1                                             -> confirmed
wait 1m                                                -> ok
count MUG 10                                           -> counted on_hand=6 adjusted=-2  # two have left, and nobody has said so yet
ship MUG 2 occurred=+4m                                -> shipped superseded on_hand=8 sold=4 shipped=2
show MUG                                               -> available=8 on_hand=8 sold=4 shipped=2 received=12
count MUG 10                                           -> counted on_hand=8 adjusted=0
# A return that a count of the shelf has seen is in it already.
return MUG 1 occurred=+4m                              -> returned superseded returned=1 returns_received=1
show MUG                                               -> available=7 on_hand=7 sold=4 shipped=2 returned=1 received=12 returns_received=1 adjusted=-1
count MUG 10                                           -> counted on_hand=7 adjusted=-1
# One that left returns out has not seen it.
count MUG 9 without=returned                           -> counted on_hand=7 adjusted=-1
return MUG 1 occurred=+4m                              -> returned superseded returned=2 returns_received=2
show MUG                                               -> available=7 on_hand=7 sold=4 shipped=2 returned=2 received=12 returns_received=2 adjusted=-1

# What does not fit of such a fact was counted all the same: there is nothing to put right on the
# shelf, so nothing is proposed. Approving the difference would take the units away a second time.
configure CUP                                          -> created
receive CUP 10                                         -> received on_hand=10
wait 1m                                                -> ok
count CUP 7                                            -> counted on_hand=7 adjusted=-3
ship CUP 3 occurred=+5m                                -> shipped superseded 0 of 3, d1 on_hand=7 sold=0 shipped=0
return CUP 2 occurred=+5m                              -> returned superseded 0 of 2, d2 returned=0 returns_received=0
approve d1                                             -> refused drift-conflict
approve d2                                             -> refused drift-conflict
dismiss d1 reason=counted                              -> d1 shipped-unsold CUP@main expected=0 found=3 propose: look; dismissed: counted
show CUP                                               -> available=7 on_hand=7 received=10 adjusted=-3
