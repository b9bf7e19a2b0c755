# A reserve is all or nothing over its lines; what is short is listed, and nothing is taken.
configure TEE-RED-M                                    -> created
configure MUG                                          -> created
configure CAP                                          -> created
receive TEE-RED-M 1                                    -> received on_hand=1
receive MUG 2                                          -> received on_hand=2

reserve r1 TEE-RED-M 1 ttl=1s                          -> created
reserve r2 TEE-RED-M 1 ttl=1s                          -> refused insufficient-stock available=0
show r2                                                -> unknown-sku  # nothing goes by that name
advance 1s                                             -> expired r1
reserve r2 TEE-RED-M 1 ttl=1s                          -> created

# Every short line is named, the good one is not taken.
reserve r3 TEE-RED-M 1 + MUG 2 + CAP 1                 -> refused insufficient-stock TEE-RED-M available=0 + CAP available=0
show MUG                                               -> available=2 on_hand=2 received=2

# Lines on the same SKU are summed before checking: a cart never competes with itself.
reserve r4 MUG 2 + MUG 1                               -> refused insufficient-stock available=2
reserve r4 MUG 1 + MUG 1                               -> created MUG@main 2
show r4                                                -> open: MUG@main open=2; until=+601s
show MUG                                               -> available=0 on_hand=2 reserved=2 received=2

# A SKU that is known and was never received has nothing, and a location that is not known
# is another matter.
reserve r5 CAP 1                                       -> refused insufficient-stock available=0
reserve r5 CAP@main 1                                  -> refused unknown-location CAP@main
