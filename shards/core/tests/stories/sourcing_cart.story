# One location for the whole cart, as far as its lines ask for that and one covers them.
configure TEE sourcing=whole_cart                      -> created
configure MUG sourcing=whole_cart                      -> created
configure CAP                                          -> created
receive TEE 3                                          -> received on_hand=3
receive TEE 1 at=attic                                 -> received on_hand=1
receive TEE 3 at=store                                 -> received on_hand=3
receive MUG 1 at=attic                                 -> received on_hand=1
receive MUG 2 at=store                                 -> received on_hand=2
receive CAP 5                                          -> received on_hand=5

reserve r1 TEE 1 + MUG 1                               -> created TEE@attic 1 + MUG@attic 1  # main has no mugs
release r1                                             -> released
reserve r2 TEE 2 + MUG 1                               -> created TEE@store 2 + MUG@store 1
release r2                                             -> released
reserve r3 TEE 2 + CAP 1 + MUG 1                       -> created TEE@store 2 + CAP@main 1 + MUG@store 1  # who doesn't ask for it is left alone
release r3                                             -> released
reserve r4 TEE 1 + TEE 1 + MUG 2                       -> created TEE@store 2 + MUG@store 2  # lines of one SKU are summed
release r4                                             -> released

# Failing that, each line from the first that covers it, else split.
reserve r5 TEE 2 + MUG 3                               -> created TEE@main 2 + MUG@attic 1 + MUG@store 2
release r5                                             -> released
reserve r6 TEE 2                                       -> created  # one line is as it was
release r6                                             -> released

# Named lines take theirs first, and closed places serve nobody.
reserve r7 TEE@store 2 + TEE 2 + MUG 1                 -> created TEE@store 2 + TEE@main 2 + MUG@attic 1
release r7                                             -> released
location store selling=false                           -> closed
reserve r8 TEE 1 + MUG 1                               -> created TEE@attic 1 + MUG@attic 1
release r8                                             -> released
reserve r9 TEE 2 + MUG 1                               -> created TEE@main 2 + MUG@attic 1
release r9                                             -> released
location store selling=true                            -> selling

# An order of a SKU's own holds for it alone.
configure MUG order=attic,store                        -> configured
reserve r10 MUG 1 + TEE 2                              -> created MUG@store 1 + TEE@store 2
release r10                                            -> released
configure TEE order=main,attic                         -> configured
reserve r11 MUG 1 + TEE 2                              -> created MUG@attic 1 + TEE@main 2
release r11                                            -> released

# Best effort: what is granted is to come from one place, if it can.
reserve r12 TEE 1 + MUG 9 best_effort                  -> created TEE@main 1 + MUG@attic 1 + MUG@store 2, short MUG 3 of 9 insufficient-stock
release r12                                            -> released
reserve r13 TEE 1 + MUG 1 + CAP 9 best_effort          -> created TEE@attic 1 + MUG@attic 1 + CAP@main 5 of 9, short CAP 5 of 9 insufficient-stock
