# A hold goes to another location in one step: reserved moves between the two.
configure TEE safety@store=1                           -> created
receive TEE 5                                          -> received on_hand=5
receive TEE 4 at=store                                 -> received on_hand=4
reserve r1 TEE 3                                       -> created
show r1                                                -> open: TEE@main open=3; until=+10m
move r1 TEE main store units=4                         -> refused over-move TEE@main open=3  # more than is held
move r1 TEE store main                                 -> refused over-move TEE@store open=0  # nothing is held there
move r1 TEE main attic                                 -> refused unknown-location TEE@attic
move r1 TEE main store units=2 key=k1                  -> moved TEE@main 1 + TEE@store 2
move r1 TEE main store units=2 key=k1                  -> again: now open
show TEE@main                                          -> available=4 on_hand=5 reserved=1 received=5
show TEE@store                                         -> available=1 on_hand=4 reserved=2 safety_stock=1 received=4
reserve r2 TEE@store 1                                 -> created
move r1 TEE main store                                 -> refused insufficient-stock TEE@store available=0  # safety stock stays
release r2                                             -> released
move r1 TEE main store                                 -> moved TEE@store 3
show r1                                                -> open: TEE@store open=3; until=+10m
move r1 TEE store store                                -> as it stands, open
show TEE@main                                          -> available=5 on_hand=5 received=5
show TEE@store                                         -> available=0 on_hand=4 reserved=3 safety_stock=1 received=4 released=1
confirm r1                                             -> confirmed
show TEE@store                                         -> available=0 on_hand=1 safety_stock=1 sold=3 received=4 released=1
move r1 TEE store main                                 -> refused reservation-confirmed
cancel r1                                              -> cancelled

# Deadline and pin stay; what is lapsed at the new place gives way.
reserve r3 TEE@main 2 ttl=10s                          -> created
pin r3 for=1m                                          -> pinned until=+1m
reserve r4 TEE@store 3 ttl=1s                          -> created
wait 2s                                                -> ok
move r3 TEE main store                                 -> expired r4; moved TEE@store 2
show r3                                                -> open: TEE@store open=2; until=+1m pinned_until=+1m
wait 1m                                                -> ok
show r3                                                -> expired: TEE@store expired=2 pinned_until=+1m
move r3 TEE store main                                 -> expired r3; refused reservation-expired

# What was sold stays where it was sold, and so does what became of it.
reserve r5 TEE@main 4                                  -> created
confirm r5 TEE 2 rest=keep                             -> confirmed open=2 confirmed=2
cancel r5 TEE 1                                        -> cancelled 1 of 2
move r5 TEE main store units=1                         -> moved TEE@main 3 + TEE@store 1
show r5                                                -> open: TEE@main open=1 confirmed=2 cancelled=1 + TEE@store open=1; until=+662s
move r5 TEE main store                                 -> moved TEE@main 2 + TEE@store 2
show r5                                                -> open: TEE@main confirmed=2 cancelled=1 + TEE@store open=2; until=+662s
cancel r5                                              -> cancelled
show r5                                                -> open: TEE@main confirmed=2 cancelled=2 + TEE@store open=2; until=+662s
down 1s                                                -> resumed grace=1s
release r5                                             -> released confirmed=2 released=2
show TEE                                               -> available=8 on_hand=9 safety_stock=1 received=9 released=3 expired=5

# Not to a location that was closed for selling.
location store selling=false                           -> closed
reserve r6 TEE@main 1                                  -> created
move r6 TEE main store                                 -> refused location-closed TEE@store
