# The clock jumps back: ledger time goes on from its last value until the wall clock has
# caught up.
configure TEE                                          -> created
receive TEE 3                                          -> received on_hand=3
wait 100s                                              -> ok
reserve r1 TEE 1 ttl=10s                               -> created
back 60s                                               -> ok
show r1                                                -> open: TEE@main open=1; until=+110s
reserve r2 TEE 1 ttl=10s                               -> created
show r2                                                -> open: TEE@main open=1; until=+110s
extend r1 ttl=20s                                      -> extended until=+2m

# Nothing that had expired comes back.
wait 70s                                               -> ok
reserve r3 TEE 2 ttl=10s                               -> expired r2; created
back 60s                                               -> ok
confirm r2 late=refuse                                 -> refused reservation-expired late-refused, recorded
show r3                                                -> open: TEE@main open=2; until=+2m

# A deadline that fell due by ledger time is due, whatever the wall clock says.
advance 69s                                            -> nothing
advance 1s                                             -> expired r1, r3
