# Decisions that don't fit are refused: below zero always, below reserved unless forced.
configure TEE                                          -> created
receive TEE 6                                          -> received on_hand=6
reserve r1 TEE 2                                       -> created
confirm r1                                             -> confirmed
ship TEE 2                                             -> shipped on_hand=4 sold=2 shipped=2
return TEE 2                                           -> returned returned=2 returns_received=2
restock TEE 3                                          -> refused would-go-negative returned=2
restock TEE 1                                          -> restocked on_hand=5 returned=1
write_off TEE 2 from=returned                          -> refused would-go-negative returned=1
write_off TEE 1 from=returned                          -> written off written_off=1
damage TEE 1                                           -> damaged on_hand=4 returned=0 damaged=1
write_off TEE 1 from=damaged                           -> written off written_off=2
show TEE                                               -> available=4 on_hand=4 sold=2 shipped=2 received=6 returns_received=2 written_off=2

reserve r2 TEE 3                                       -> created
write_off TEE 2                                        -> refused below-reserved on_hand=4 reserved=3
write_off TEE 1                                        -> written off written_off=3
transfer TEE 2 to=store                                -> refused below-reserved on_hand=3 reserved=3
transfer TEE 2 to=store force                          -> transferred on_hand=1 shortfall=2
transfer TEE 9 to=store force                          -> refused would-go-negative on_hand=1
transfer TEE 1 to=main at=moon                         -> refused unknown-location TEE@moon
show TEE@main                                          -> available=0 on_hand=1 reserved=3 sold=2 shipped=2 received=6 returns_received=2 transferred=-2 written_off=3 shortfall=2
show TEE@store                                         -> available=2 on_hand=2 transferred=2
show TEE                                               -> available=2 on_hand=3 reserved=3 sold=2 shipped=2 received=6 returns_received=2 written_off=3 shortfall=2  # what is transferred sums to 0

# A transfer meets lapsed holds as every command does.
transfer TEE 1 to=main at=store                        -> transferred on_hand=1
reserve r3 TEE@store 1 ttl=1s                          -> created
wait 1s                                                -> ok
transfer TEE 1 to=main at=store                        -> expired r3; transferred on_hand=0

# What burnt can't be sold: a write-off is forced as any other decision, and leaves a shortfall.
configure MUG                                          -> created
receive MUG 5                                          -> received on_hand=5
reserve r4 MUG 4                                       -> created
write_off MUG 3                                        -> refused below-reserved on_hand=5 reserved=4
write_off MUG 3 force                                  -> written off written_off=3 shortfall=2
write_off MUG 3 force                                  -> refused would-go-negative on_hand=2
show MUG                                               -> available=0 on_hand=2 reserved=4 received=5 written_off=3 shortfall=2
