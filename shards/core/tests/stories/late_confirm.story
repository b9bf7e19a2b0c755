# Money came, the hold has expired: the units are taken again if they are there, all lines
# or none, and the answer says late. What it leaves is closed.
configure TEE                                          -> created
configure MUG                                          -> created
receive TEE 3                                          -> received on_hand=3
receive MUG 3                                          -> received on_hand=3

reserve r1 TEE 2 + MUG 1 ttl=1s                        -> created
advance 1s                                             -> expired r1
confirm r1 payment=p1                                  -> confirmed late
show r1                                                -> confirmed: TEE@main confirmed=2 + MUG@main confirmed=1; late; payment=p1
show TEE                                               -> available=1 on_hand=1 sold=2 received=3 expired=2
confirm r1 payment=p1                                  -> as it stands, confirmed
confirm r1 payment=p2                                  -> refused confirmed-by-other-payment first=p1
release r1                                             -> refused reservation-confirmed

# Nobody swept: the confirm meets its own deadline, to the millisecond.
reserve r2 TEE 1 ttl=1s                                -> created
wait 999ms                                             -> ok
confirm r2                                             -> confirmed
reserve r3 MUG 1 ttl=1s                                -> created
wait 1s                                                -> ok
confirm r3                                             -> expired r3; confirmed late

# Part of it: the rest is closed, whatever the remainder says.
receive TEE 5                                          -> received on_hand=5
reserve r4 TEE 3 ttl=1s                                -> created
advance 1s                                             -> expired r4
confirm r4 TEE 4 rest=keep                             -> refused over-confirm TEE open=3
confirm r4 TEE 1 rest=keep                             -> confirmed late confirmed=1 expired=2
confirm r4 TEE 1 rest=keep                             -> as it stands, confirmed
confirm r4 TEE 2 rest=keep                             -> refused reservation-expired closed

# All lines or none: one is sold out, and that is final. It is recorded, and stays the
# answer when stock comes back, so that a refund is decided once.
reserve r5 TEE 1 + MUG 1 ttl=1s                        -> created
advance 1s                                             -> expired r5
reserve r6 MUG 1                                       -> created
confirm r5                                             -> refused reservation-expired sold-out, recorded
show TEE                                               -> available=4 on_hand=4 sold=4 received=8 expired=6
release r6                                             -> released
confirm r5                                             -> refused reservation-expired sold-out
confirm r5 late=refuse                                 -> refused reservation-expired sold-out
release r5                                             -> as it stands, expired

# late=refuse is final too.
reserve r7 TEE 1 ttl=1s                                -> created
advance 1s                                             -> expired r7
confirm r7 late=refuse                                 -> refused reservation-expired late-refused, recorded
confirm r7                                             -> refused reservation-expired late-refused

# The units are taken at their own locations: what lies elsewhere is no help.
receive TEE 1 at=store                                 -> received on_hand=1
reserve r8 TEE@store 1 ttl=1s                          -> created
advance 1s                                             -> expired r8
reserve r9 TEE@store 1                                 -> created
confirm r8                                             -> refused reservation-expired sold-out, recorded

# Lapsed holds of others are in nobody's way.
reserve r10 MUG 1 ttl=1s                               -> created
advance 1s                                             -> expired r10
reserve r11 MUG 1 ttl=1s                               -> created
wait 1s                                                -> ok
confirm r10                                            -> expired r11; confirmed late
