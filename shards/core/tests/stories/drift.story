# A difference is opened once, decided once, and corrected by an ordinary movement.
configure TEE                                          -> created
receive TEE 10                                         -> received on_hand=10
drift TEE expected=10 found=8                          -> d1 warehouse TEE@main expected=10 found=8 propose: adjust -2; open
drift TEE expected=10 found=8                          -> as it stands: d1 warehouse TEE@main expected=10 found=8 propose: adjust -2; open
drift TEE expected=10 found=8 kind=seller              -> d2 seller TEE@main expected=10 found=8 propose: adjust -2; open
approve d1 key=k1                                      -> d1 warehouse TEE@main expected=10 found=8 propose: adjust -2; corrected
approve d1 key=k1                                      -> again: d1 warehouse TEE@main expected=10 found=8 propose: adjust -2; corrected
approve d1                                             -> refused drift-conflict
approve d2                                             -> refused drift-conflict  # somebody has corrected there since
dismiss d2 reason=same                                 -> d2 seller TEE@main expected=10 found=8 propose: adjust -2; dismissed: same
dismiss d2                                             -> refused drift-conflict
show TEE                                               -> available=8 on_hand=8 received=10 adjusted=-2

# The same paper about the same entries is answered, not asked again.
drift TEE expected=8 found=8 document=a                -> d3 warehouse TEE@main expected=8 found=8 since=2 propose: look; open
drift NIX expected=1 found=0                           -> refused unknown-sku NIX
# A correction is what is there: below what is held it is a shortfall, below zero it is a conflict.
reserve r1 TEE 5                                       -> created
drift TEE expected=8 found=3                           -> d4 warehouse TEE@main expected=8 found=3 since=2 propose: adjust -5; open
approve d4                                             -> d4 warehouse TEE@main expected=8 found=3 since=2 propose: adjust -5; corrected
drift TEE expected=3 found=0 at=store                  -> d5 warehouse TEE@store expected=3 found=0 propose: adjust -3; open
approve d5                                             -> refused drift-conflict
# A count since then has seen it.
ship TEE 1                                             -> shipped 0 of 1, d6 on_hand=3 sold=0 shipped=0
count TEE 6                                            -> counted on_hand=6 adjusted=-4
approve d6                                             -> refused drift-conflict

# What is wrong with an order is put right as its order.
configure MUG                                          -> created
receive MUG 5                                          -> received on_hand=5
reserve r2 MUG 3                                       -> created
confirm r2                                             -> confirmed
drift MUG expected=3 found=1 kind=cancelled-confirmed of=r2 propose=cancel -> d7 cancelled-confirmed MUG@main expected=3 found=1 propose: cancel 2; open
approve d7                                             -> d7 cancelled-confirmed MUG@main expected=3 found=1 propose: cancel 2; corrected
show r2                                                -> confirmed: MUG@main confirmed=3 cancelled=2
show MUG                                               -> available=4 on_hand=4 sold=1 received=5
reserve r3 MUG 1 ttl=1s                                -> created
drift MUG expected=1 found=0 kind=no-order of=r3 propose=release -> d8 no-order MUG@main expected=1 found=0 propose: release; open
approve d8                                             -> d8 no-order MUG@main expected=1 found=0 propose: release; corrected
show r3                                                -> released: MUG@main released=1
reserve r4 MUG 1 ttl=1s                                -> created
advance 1s                                             -> expired r4
drift MUG expected=0 found=1 kind=paid-expired of=r4 propose=confirm -> d9 paid-expired MUG@main expected=0 found=1 propose: confirm; open
approve d9                                             -> d9 paid-expired MUG@main expected=0 found=1 propose: confirm; corrected
show r4                                                -> confirmed: MUG@main confirmed=1; late
drift MUG expected=1 found=0 kind=no-order of=r4 propose=release -> d10 no-order MUG@main expected=1 found=0 propose: release; open
approve d10                                            -> refused drift-conflict
drift MUG expected=1 found=0 kind=no-order of=r99 propose=release -> d11 no-order MUG@main expected=1 found=0 propose: release; open
approve d11                                            -> refused drift-conflict

# A late confirm that fits no more is a conflict, and does not close the reservation for good.
configure CAP                                          -> created
receive CAP 1                                          -> received on_hand=1
reserve r5 CAP 1 ttl=1s                                -> created
advance 1s                                             -> expired r5
reserve r6 CAP 1                                       -> created
drift CAP expected=0 found=1 kind=paid-expired of=r5 propose=confirm -> d12 paid-expired CAP@main expected=0 found=1 propose: confirm; open
approve d12                                            -> refused drift-conflict
release r6                                             -> released
confirm r5                                             -> confirmed late

# The evidence begins where the place was last put right: by a count, or by a decision about the same
# kind of difference at the same place.
configure PEN                                          -> created
receive PEN 10                                         -> received on_hand=10
drift PEN expected=10 found=9                          -> d13 warehouse PEN@main expected=10 found=9 propose: adjust -1; open
dismiss d13 reason=miscounted                          -> d13 warehouse PEN@main expected=10 found=9 propose: adjust -1; dismissed: miscounted
drift PEN expected=10 found=8                          -> d14 warehouse PEN@main expected=10 found=8 since=52 propose: adjust -2; open
drift PEN expected=10 found=8 kind=seller              -> d15 seller PEN@main expected=10 found=8 propose: adjust -2; open
receive PEN 10 at=store                                -> received on_hand=10
drift PEN expected=10 found=8 at=store                 -> d16 warehouse PEN@store expected=10 found=8 propose: adjust -2; open
count PEN 10                                           -> counted on_hand=10 adjusted=0
receive PEN 1                                          -> received on_hand=11
drift PEN expected=11 found=7                          -> d17 warehouse PEN@main expected=11 found=7 since=58 propose: adjust -4; open
drift PEN expected=11 found=7 kind=seller              -> d18 seller PEN@main expected=11 found=7 propose: adjust -4; open
