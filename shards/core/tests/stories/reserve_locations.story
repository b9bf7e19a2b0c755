# Where units come from. A line that names no location gets one that covers it whole, in the
# SKU's location order; failing that it is split over several. Named locations first.
configure TEE                                          -> created
receive TEE 1                                          -> received on_hand=1
receive TEE 3 at=store                                 -> received on_hand=3
receive TEE 2 at=attic                                 -> received on_hand=2

# The default order is main, then by name: attic before store.
reserve r1 TEE 1                                       -> created
release r1                                             -> released
reserve r2 TEE 2                                       -> created TEE@attic 2
release r2                                             -> released
reserve r3 TEE 3                                       -> created TEE@store 3
release r3                                             -> released
reserve r4 TEE 5                                       -> created TEE@main 1 + TEE@attic 2 + TEE@store 2
release r4                                             -> released
reserve r5 TEE 7                                       -> refused insufficient-stock available=6

# Named locations are served first, whatever the order of the lines.
reserve r6 TEE 1 + TEE@main 1                          -> created TEE@attic 1 + TEE@main 1
release r6                                             -> released
reserve r7 TEE@store 4                                 -> refused insufficient-stock TEE@store available=3
reserve r7 TEE@store 3 + TEE 3                         -> created TEE@store 3 + TEE@main 1 + TEE@attic 2
release r7                                             -> released

# Lines that name the same location are summed; a chosen one that falls there joins them.
reserve r8 TEE@store 2 + TEE@store 2                   -> refused insufficient-stock TEE@store available=3
reserve r8 TEE@main 1 + TEE 1 + TEE@attic 1            -> created TEE@main 1 + TEE@attic 2
release r8                                             -> released

# An order of the SKU's own: a location absent from it sells only when named.
configure TEE order=store,main                         -> configured
reserve r9 TEE 2                                       -> created TEE@store 2
reserve r10 TEE 3                                      -> refused insufficient-stock available=2
reserve r10 TEE 2                                      -> created TEE@store 1 + TEE@main 1
reserve r11 TEE@attic 2                                -> created
release r11                                            -> released
configure TEE order=none                               -> configured
reserve r11 TEE 1                                      -> created TEE@attic 1

# Best effort takes what is there, from where it is.
reserve r12 TEE 9 best_effort                          -> created TEE@attic 1 of 9, short TEE 1 of 9 insufficient-stock
