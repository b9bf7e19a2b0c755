# Extend moves the deadline to max(expires_at, now + ttl). It never shortens it.
configure TEE                                          -> created
receive TEE 5                                          -> received on_hand=5
reserve r1 TEE 1 ttl=10s                               -> created
extend r1 ttl=5s                                       -> as it stands, open
show r1                                                -> open: TEE@main open=1; until=+10s
extend r1 ttl=20s                                      -> extended until=+20s
advance 10s                                            -> nothing
extend r1 ttl=10s                                      -> as it stands, open

# Its own bounds, and 60 minutes from creation in all; beyond that nothing changes.
extend r1 ttl=999ms                                    -> refused ttl-limit max=30m
extend r1 ttl=31m                                      -> refused ttl-limit max=30m
extend r1 ttl=30m                                      -> extended until=+1810s
wait 25m                                               -> ok
extend r1 ttl=30m                                      -> extended until=+3310s
wait 25m                                               -> ok
extend r1 ttl=10m                                      -> refused ttl-limit max=590s
show r1                                                -> open: TEE@main open=1; until=+3310s
extend r1 ttl=590s                                     -> extended until=+1h

# A paused or closed sale does not bind it.
configure TEE paused=true closes=+0s                   -> configured
reserve r2 TEE 1                                       -> refused sale-paused TEE
configure TEE paused=none                              -> configured
reserve r2 TEE 1                                       -> refused sale-closed TEE closes=+0s
configure TEE closes=none                              -> configured
reserve r2 TEE 1 ttl=10s                               -> created
configure TEE paused=true closes=+0s                   -> configured
extend r2 ttl=20s                                      -> extended until=+3030s

# What has ended stays ended, and says how.
wait 19999ms                                           -> ok
extend r2 ttl=20s                                      -> extended until=+3049999ms
wait 20s                                               -> ok
extend r2 ttl=20s                                      -> expired r2; refused reservation-expired
release r1                                             -> released
extend r1 ttl=20s                                      -> refused reservation-released at=+3049999ms
configure TEE paused=none closes=none                  -> configured
reserve r3 TEE 1                                       -> created
confirm r3                                             -> confirmed
extend r3 ttl=20s                                      -> refused reservation-confirmed
extend r9 ttl=20s                                      -> refused unknown-reservation
