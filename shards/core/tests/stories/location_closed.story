# A location closed for selling: lines that name none skip it, lines that name it are refused.
configure TEE                                          -> created
configure MUG                                          -> created
receive TEE 2                                          -> received on_hand=2
receive TEE 5 at=store                                 -> received on_hand=5
receive MUG 5                                          -> received on_hand=5
reserve r1 TEE@store 1 ttl=10s                         -> created
reserve r2 TEE@store 1 order=o1                        -> created
reserve r3 TEE@store 1                                 -> created
location store                                         -> selling  # declared, and it sells
location store                                         -> as it stands, selling
location store selling=true                            -> as it stands, selling
location store selling=false                           -> closed
location store selling=false                           -> as it stands, closed

reserve r4 TEE 1                                       -> created
reserve r5 TEE 2                                       -> refused insufficient-stock available=1  # what lies at the store doesn't count
reserve r5 TEE@store 1                                 -> refused location-closed TEE@store
reserve r5 TEE@store 1 + MUG 9                         -> refused location-closed TEE@store  # the class comes before the stock's
reserve r5 TEE@moon 1 + TEE@store 1                    -> refused unknown-location TEE@moon  # and after unknown places
configure TEE paused=true                              -> configured
reserve r5 TEE@store 1                                 -> refused location-closed TEE@store  # and before the sale's
configure TEE paused=none                              -> configured

# Best effort makes it a shortage, as it does of a closed sale.
reserve r6 TEE@store 1 + MUG 1 best_effort             -> created MUG@main 1, short TEE 0 of 1 location-closed
reserve r7 TEE@store 1 + TEE 1 best_effort             -> created TEE@main 1, short TEE 1 of 2 location-closed
reserve r8 TEE@store 1 best_effort                     -> refused location-closed TEE@store

# It binds a replace and a late confirm, which is not final; never confirm, extend or release.
reserve r9 TEE@store 1 order=o1 replace=r2             -> refused location-closed TEE@store
extend r2 ttl=20m                                      -> extended until=+20m
confirm r2                                             -> confirmed
release r3                                             -> released
advance 10s                                            -> expired r1
confirm r1                                             -> refused location-closed TEE@store
location store selling=true                            -> selling
confirm r1                                             -> confirmed late
reserve r10 TEE 3                                      -> created TEE@store 3

# Where all that sells is closed, nothing is there; an order of its own skips it too.
location main selling=false                            -> closed
reserve r11 MUG 1                                      -> refused insufficient-stock available=0
configure TEE order=main,store                         -> configured
show TEE@store                                         -> available=0 on_hand=3 reserved=3 sold=2 received=5 released=1 expired=1
receive TEE 1 at=store                                 -> received on_hand=4
reserve r12 TEE 1                                      -> created TEE@store 1
location main selling=none                             -> selling
reserve r13 MUG 1                                      -> created

# It outlives the shard.
location attic selling=false                           -> closed
receive TEE 1 at=attic                                 -> received on_hand=1
down 1s                                                -> resumed grace=1s
reserve r14 TEE@attic 1                                -> refused location-closed TEE@attic
chunks 100                                             -> ok
down 1s                                                -> resumed grace=1s
reserve r14 TEE@attic 1                                -> refused location-closed TEE@attic
