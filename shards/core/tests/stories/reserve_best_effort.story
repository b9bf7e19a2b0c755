# Best effort grants min(requested, available, limit left) per line and lists what is short.
configure TEE                                          -> created
configure MUG                                          -> created
configure CAP limit=2/1h                               -> created
receive TEE 3                                          -> received on_hand=3
receive MUG 1                                          -> received on_hand=1
receive CAP 9                                          -> received on_hand=9

reserve r1 TEE 5 + MUG 1 best_effort                   -> created TEE@main 3 of 5 + MUG@main 1, short TEE 3 of 5 insufficient-stock
show TEE                                               -> available=0 on_hand=3 reserved=3 received=3

# Nothing granted is a refusal.
reserve r2 TEE 1 + MUG 1 best_effort                   -> refused insufficient-stock TEE available=0 + MUG available=0
release r1                                             -> released

# The limit is a shortage, a missing customer is not.
reserve r3 CAP 3 best_effort                           -> refused customer-required CAP
reserve r3 CAP 3 + TEE 1 best_effort customer=ann      -> created CAP@main 2 of 3 + TEE@main 1, short CAP 2 of 3 customer-limit
reserve r4 CAP 1 best_effort customer=ann              -> refused customer-limit CAP limit=2 counted=2 frees_at=+1h
reserve r4 CAP 1 + TEE 1 best_effort customer=ann      -> created TEE@main 1, short CAP 0 of 1 customer-limit
release r3                                             -> released
release r4                                             -> released

# A paused and a closed sale are shortages; what does not exist is none.
configure TEE paused=true                              -> configured
configure MUG closes=+0s                               -> configured
reserve r5 TEE 1 + MUG 1 + CAP 1 best_effort customer=ben -> created CAP@main 1, short TEE 0 of 1 sale-paused, short MUG 0 of 1 sale-closed
reserve r6 CAP 1 + NIX 1 best_effort customer=ben      -> refused unknown-sku NIX
reserve r6 CAP 1 + TEE@moon 1 best_effort customer=ben -> refused unknown-location TEE@moon
reserve r6 CAP 1 best_effort customer=ben ttl=31m      -> refused ttl-limit max=30m

# Where nothing is granted for several reasons, the first in the order of refusals is told.
reserve r6 TEE 1 + MUG 1 best_effort                   -> refused sale-paused TEE
release r5                                             -> released
adjust CAP -9                                          -> adjusted on_hand=0
reserve r6 CAP 1 + MUG 1 best_effort customer=ben      -> refused sale-closed MUG closes=+0s
