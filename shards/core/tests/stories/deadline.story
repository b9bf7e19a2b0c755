# The deadline is a fact, the timer a hint: nobody sweeps in this story unless it says so.
configure TEE                                          -> created
receive TEE 2                                          -> received on_hand=2
reserve r1 TEE 1 ttl=10s                               -> created
reserve r2 TEE 1                                       -> created  # 10 minutes by default

wait 9999ms                                            -> ok
reserve r3 TEE 1                                       -> refused insufficient-stock available=0
show r1                                                -> open: TEE@main open=1; until=+10s

# From the deadline on a look-up shows it as expired, and records nothing.
wait 1ms                                               -> ok
show r1                                                -> expired: TEE@main expired=1
show TEE                                               -> available=0 on_hand=2 reserved=2 received=2

# A command that meets it records its expiry first, then decides.
reserve r3 TEE 1 ttl=1s                                -> expired r1; created
show TEE                                               -> available=0 on_hand=2 reserved=2 received=2 expired=1

# As many as it needs, the earliest first.
reserve r4 TEE 1                                       -> refused insufficient-stock available=0
wait 20m                                               -> ok
reserve r4 TEE 1 ttl=1s                                -> expired r3; created
reserve r5 TEE 1 ttl=1s                                -> expired r2; created
wait 1s                                                -> ok
reserve r6 TEE 2 ttl=1s                                -> expired r4, r5; created

# Commands on the reservation itself meet its deadline too.
wait 1s                                                -> ok
extend r6 ttl=10s                                      -> expired r6; refused reservation-expired
reserve r7 TEE 1 ttl=1s                                -> created
wait 1s                                                -> ok
pin r7 for=10s                                         -> expired r7; refused reservation-expired
reserve r8 TEE 1 ttl=1s                                -> created
wait 1s                                                -> ok
release r8                                             -> expired r8; closed, expired

# TTLs have bounds.
reserve r9 TEE 1 ttl=999ms                             -> refused ttl-limit max=30m
reserve r9 TEE 1 ttl=1800001ms                         -> refused ttl-limit max=30m
reserve r9 TEE 1 ttl=30m                               -> created

# A cart of several lines expires whole, whichever line was in the way.
configure MUG                                          -> created
receive MUG 1                                          -> received on_hand=1
reserve r10 TEE 1 + MUG 1 ttl=1s                       -> created
wait 1s                                                -> ok
reserve r11 MUG 1                                      -> expired r10; created
show TEE                                               -> available=1 on_hand=2 reserved=1 received=2 expired=10
