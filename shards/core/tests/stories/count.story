# A count corrects on_hand by what it found. Holds are not physical, and neither are sales that have
# not left.
configure TEE                                          -> created
receive TEE 10                                         -> received on_hand=10
reserve r1 TEE 2                                       -> created
reserve r2 TEE 3                                       -> created
confirm r2                                             -> confirmed
count TEE 9                                            -> counted on_hand=6 adjusted=-1
show TEE                                               -> available=4 on_hand=6 reserved=2 sold=3 received=10 adjusted=-1
count TEE 9                                            -> counted on_hand=6 adjusted=-1
count TEE 8 measure=sellable                           -> counted on_hand=8 adjusted=1
count TEE 4 measure=available                          -> counted on_hand=6 adjusted=-1
show TEE                                               -> available=4 on_hand=6 reserved=2 sold=3 received=10 adjusted=-1

# What came back or is broken may have been left out.
configure MUG                                          -> created
opening MUG on_hand=4 returned=2 damaged=1             -> opened on_hand=4 received=7
count MUG 7                                            -> counted on_hand=4 adjusted=0
count MUG 5 without=returned                           -> counted on_hand=4 adjusted=0
count MUG 4 without=damaged,returned                   -> counted on_hand=4 adjusted=0
count MUG 4                                            -> counted on_hand=1 adjusted=-3

# What would push on_hand below 0 leaves it at 0, and the rest is a drift.
reserve r3 MUG 1                                       -> created
confirm r3                                             -> confirmed
count MUG 2                                            -> counted 4 of 2, d1 on_hand=0 adjusted=-3
show d1                                                -> counted-below-zero MUG@main expected=4 found=2 propose: look; open
show MUG                                               -> available=0 sold=1 returned=2 damaged=1 received=7 adjusted=-3

# Fewer than are held: the first that confirm get them.
configure CUP                                          -> created
receive CUP 5                                          -> received on_hand=5
reserve r4 CUP 3                                       -> created
reserve r5 CUP 2                                       -> created
count CUP 3                                            -> counted on_hand=3 adjusted=-2 shortfall=2
reserve r6 CUP 1                                       -> refused insufficient-stock available=0
confirm r4                                             -> confirmed
confirm r5                                             -> refused shortfall CUP@main confirmable=0
receive CUP 2                                          -> received on_hand=2
confirm r5                                             -> confirmed
# Holds whose time has passed keep nothing.
receive CUP 2                                          -> received on_hand=2
reserve r7 CUP 2 ttl=1s                                -> created
wait 1s                                                -> ok
count CUP 6                                            -> expired r7; counted on_hand=1 adjusted=-3
count CAP 1                                            -> refused unknown-sku CAP
count MUG 2 at=store                                   -> counted on_hand=2 adjusted=2
