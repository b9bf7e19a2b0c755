# What is left of a SKU is told once per crossing, in both directions: low at the threshold,
# depleted at nothing, replenished above the threshold.
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

# Its last units go back and forth: nothing more is told until there is more than the threshold
# again, but since when nothing is available is always exact.
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
supply TEE                                             -> replenished +4s

# Sold out is what is depleted with nothing held either.
configure TEE low=none                                 -> configured
reserve r6 TEE 4                                       -> created
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
cancel r6 TEE 1                                        -> cancelled 1 of 4
supply TEE                                             -> replenished +6s
