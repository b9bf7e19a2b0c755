# Restart after downtime: a deadline that fell into it, from the last record to the opening,
# becomes start + min(downtime, 60 s), once per hold, for every command.
configure TEE                                          -> created
receive TEE 9                                          -> received on_hand=9
reserve r1 TEE 1 ttl=10s                               -> created
reserve r2 TEE 1 ttl=20s                               -> created
reserve r3 TEE 1 ttl=5m                                -> created
down 15s                                               -> resumed grace=15s
show r1                                                -> open: TEE@main open=1; until=+30s
show r2                                                -> open: TEE@main open=1; until=+20s
show r3                                                -> open: TEE@main open=1; until=+5m

# A payment that was under way survives the outage.
confirm r1 payment=p1                                  -> confirmed

# At most 60 seconds.
reserve r4 TEE 1 ttl=10s                               -> created
down 1h                                                -> resumed grace=1m
show r2                                                -> open: TEE@main open=1; until=+3675s
show r4                                                -> open: TEE@main open=1; until=+3675s
reserve r5 TEE 6 ttl=1s                                -> refused insufficient-stock available=5

# Once: the next outage is no new grace for them.
down 2m                                                -> resumed grace=1m
show r4                                                -> expired: TEE@main expired=1
show r3                                                -> expired: TEE@main expired=1
reserve r5 TEE 8 ttl=1s                                -> expired r2, r3, r4; created

# Every deadline after the last record counts as fallen into the downtime, even if the shard
# was up and idle when it passed; one that a record has overtaken does not.
reserve r6 TEE@main 1 best_effort ttl=1s               -> refused insufficient-stock TEE@main available=0
receive TEE 4                                          -> received on_hand=12
reserve r7 TEE 1 ttl=1s                                -> created
wait 5s                                                -> ok
receive TEE 1                                          -> received on_hand=13
down 5s                                                -> resumed grace=5s
show r7                                                -> expired: TEE@main expired=1
