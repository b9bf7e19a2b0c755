# What is left of a SKU is told once per crossing, in both directions: low at the threshold,
# depleted at nothing, replenished some units above the threshold: a fifth of it, and one.
configure TEE low=3                                    -> created
supply TEE                                             -> nothing told
# The first units that ever come in replenish nothing, however few they are.
receive TEE 2                                          -> received on_hand=2
receive TEE 4                                          -> received on_hand=6
supply TEE                                             -> nothing told
reserve r1 TEE 2                                       -> created
supply TEE                                             -> nothing told
reserve r2 TEE 1                                       -> created
supply TEE                                             -> low +0s
reserve r3 TEE 2                                       -> created
supply TEE                                             -> nothing told
wait 1s                                                -> ok
reserve r4 TEE 1                                       -> created
supply TEE                                             -> depleted +1s, depleted_at=+1s

# Its last units go back and forth: nothing more is told until there are some more than the threshold
# again, 5 for 3, but since when nothing is available is always exact.
wait 1s                                                -> ok
release r4                                             -> released
supply TEE                                             -> nothing told
wait 1s                                                -> ok
reserve r5 TEE 1                                       -> created
supply TEE                                             -> nothing told, depleted_at=+3s
wait 1s                                                -> ok
receive TEE 3                                          -> received on_hand=9
supply TEE                                             -> nothing told
receive TEE 1                                          -> received on_hand=10
supply TEE                                             -> nothing told
receive TEE 1                                          -> received on_hand=11
supply TEE                                             -> replenished +4s
reserve r0 TEE 1                                       -> created
supply TEE                                             -> nothing told
configure TEE safety=1                                 -> configured
supply TEE                                             -> low +4s
release r0                                             -> released
supply TEE                                             -> nothing told
configure TEE safety=0                                 -> configured
supply TEE                                             -> replenished +4s

# Sold out is what is depleted with nothing held either.
configure TEE low=none                                 -> configured
reserve r6 TEE 5                                       -> created
supply TEE                                             -> depleted +4s, depleted_at=+4s
wait 1s                                                -> ok
confirm r1                                             -> confirmed
confirm r2                                             -> confirmed
confirm r3                                             -> confirmed
confirm r5                                             -> confirmed
supply TEE                                             -> nothing told, depleted_at=+4s
confirm r6                                             -> confirmed
supply TEE                                             -> nothing told, depleted_at=+4s, sold_out_at=+5s
# A cancellation brings a unit back.
wait 1s                                                -> ok
cancel r6 TEE 1                                        -> cancelled 1 of 5
supply TEE                                             -> replenished +6s

# The band can be said, so that it fits a SKU's sales, and it holds without a low threshold too.
configure CAP low=5 enough=6                           -> created
receive CAP 7                                          -> received on_hand=7
reserve r7 CAP 2                                       -> created
supply CAP                                             -> low +6s
release r7                                             -> released
supply CAP                                             -> replenished +6s
configure CAP enough=20                                -> configured
supply CAP                                             -> nothing told
reserve r8 CAP 2                                       -> created
supply CAP                                             -> low +6s
configure CAP low=none                                 -> configured
supply CAP                                             -> nothing told
configure CAP enough=5                                 -> configured
supply CAP                                             -> replenished +6s
reserve r9 CAP 5                                       -> created
supply CAP                                             -> depleted +6s, depleted_at=+6s
release r9 CAP 4                                       -> released open=1 released=4
supply CAP                                             -> nothing told
reserve r10 CAP 4                                      -> created
supply CAP                                             -> nothing told, depleted_at=+6s
wait 1s                                                -> ok
release r9                                             -> released
supply CAP                                             -> nothing told
release r10                                            -> released
supply CAP                                             -> replenished +7s

# What would be replenished where it is low is refused, however it comes about.
configure CAP low=5                                    -> refused not-above-low enough=5 low=5
configure CAP low=6 enough=6                           -> refused not-above-low enough=6 low=6
configure CUP enough=0                                 -> refused not-above-low enough=0 low=0
configure CAP low=5 enough=none                        -> configured
configure CAP low=4 enough=5                           -> configured
