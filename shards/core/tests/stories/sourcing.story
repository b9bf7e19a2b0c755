# How a line that names no location chooses among those that sell.
configure TEE                                          -> created
receive TEE 1                                          -> received on_hand=1
receive TEE 2 at=attic                                 -> received on_hand=2
receive TEE 4 at=store                                 -> received on_hand=4

# The whole line from the first that covers it (the default), else split in order.
reserve r1 TEE 2                                       -> created TEE@attic 2
release r1                                             -> released
reserve r2 TEE 5                                       -> created TEE@main 1 + TEE@attic 2 + TEE@store 2
release r2                                             -> released

# In order of priority, each as much as it has.
configure TEE sourcing=priority                        -> configured
reserve r3 TEE 2                                       -> created TEE@main 1 + TEE@attic 1
reserve r4 TEE 1                                       -> created TEE@attic 1  # what has nothing free is no split
release r3                                             -> released
release r4                                             -> released
configure TEE order=store,main                         -> configured
reserve r5 TEE 5                                       -> created TEE@store 4 + TEE@main 1
release r5                                             -> released
configure TEE order=none                               -> configured
reserve r5 TEE 9 best_effort                           -> created TEE@main 1 + TEE@attic 2 + TEE@store 4, short TEE 7 of 9 insufficient-stock
release r5                                             -> released

# From where most is available, equals in order.
configure TEE sourcing=most_available                  -> configured
reserve r6 TEE 1                                       -> created TEE@store 1
reserve r7 TEE 2                                       -> created TEE@store 2
reserve r8 TEE 1                                       -> created TEE@attic 1  # attic has 2, main and store 1 each
release r6                                             -> released
release r7                                             -> released
release r8                                             -> released
reserve r9 TEE 6                                       -> created TEE@store 4 + TEE@attic 2
release r9                                             -> released
configure TEE order=main,attic                         -> configured
reserve r10 TEE 3                                      -> created TEE@attic 2 + TEE@main 1
release r10                                            -> released
location attic selling=false                           -> closed
reserve r11 TEE 1                                      -> created
release r11                                            -> released
configure TEE sourcing=whole_line order=none           -> configured
location attic selling=true                            -> selling

# Named locations are served first, whatever the way.
configure TEE sourcing=most_available                  -> configured
reserve r12 TEE 2 + TEE@store 3                        -> created TEE@attic 2 + TEE@store 3
release r12                                            -> released
