# A SKU whose policy is to release the newest holds that a shortfall leaves without units.
configure TEE shortfall=release_newest                 -> created
configure MUG                                          -> created
receive TEE 6                                          -> received on_hand=6
receive MUG 6                                          -> received on_hand=6
reserve r1 TEE 2                                       -> created
reserve r2 TEE 1 + MUG 1                               -> created
reserve r3 TEE 2                                       -> created
reserve r4 TEE 1                                       -> created
pin r4 for=30s                                         -> pinned until=+10m
sweep                                                  -> nothing
adjust TEE -2 force                                    -> adjusted on_hand=4 shortfall=2
sweep                                                  -> released r3  # not the pinned one, and no more than must be
sweep                                                  -> nothing
show r3                                                -> released: TEE@main released=2
confirm r3                                             -> refused reservation-released at=+0s reason=shortfall
show TEE                                               -> available=0 on_hand=4 reserved=4 received=6 adjusted=-2 released=2
adjust TEE -3 force                                    -> adjusted on_hand=1 shortfall=3
sweep                                                  -> released r2, r1  # the line that lacks units, not the mug
sweep                                                  -> nothing
show r2                                                -> open: TEE@main released=1 + MUG@main open=1; until=+10m
show TEE                                               -> available=0 on_hand=1 reserved=1 received=6 adjusted=-5 released=5
confirm r4                                             -> confirmed

# The default leaves all to the first that confirm; the policy is asked when it is set, too.
reserve r5 MUG 2                                       -> created
reserve r6 MUG 2                                       -> created
adjust MUG -4 force                                    -> adjusted on_hand=2 shortfall=3
sweep                                                  -> nothing
confirm r6                                             -> confirmed
configure MUG shortfall=release_newest                 -> configured
down 1s                                                -> resumed grace=1s
sweep                                                  -> released r5, r2
show r2                                                -> released: TEE@main released=1 + MUG@main released=1
show MUG                                               -> available=0 sold=2 received=6 adjusted=-4 released=3
