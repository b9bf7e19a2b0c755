# Release gives back: reserved falls.
configure TEE                                          -> created
configure MUG                                          -> created
receive TEE 9                                          -> received on_hand=9
receive MUG 9                                          -> received on_hand=9

reserve r1 TEE 2 + MUG 2                               -> created
release r1 TEE 1                                       -> released open=3 released=1
release r1 TEE 3                                       -> refused over-release TEE open=1
release r1 MUG 2                                       -> released open=1 released=3
show r1                                                -> open: TEE@main open=1 released=1 + MUG@main released=2; until=+10m
release r1 reason=changed-mind                         -> released
show TEE                                               -> available=9 on_hand=9 received=9 released=2

# Nothing open: as it stands. Confirm after release names the state that won.
release r1                                             -> as it stands, released
release r1 TEE 1                                       -> as it stands, released
wait 5s                                                -> ok
confirm r1                                             -> refused reservation-released at=+0s reason=changed-mind
confirm r1 TEE 1 rest=keep                             -> refused reservation-released at=+0s reason=changed-mind

# And release after confirm.
reserve r2 TEE 1                                       -> created
confirm r2                                             -> confirmed
release r2                                             -> refused reservation-confirmed

# Released reservations never come back, with stock or without.
confirm r1 payment=p1                                  -> refused reservation-released at=+0s reason=changed-mind

# An expired one has nothing open: as it stands, and closed to late confirm.
reserve r3 TEE 1 ttl=1s                                -> created
advance 1s                                             -> expired r3
release r3                                             -> closed, expired
release r3                                             -> as it stands, expired
confirm r3                                             -> refused reservation-expired closed
release r9                                             -> refused unknown-reservation
