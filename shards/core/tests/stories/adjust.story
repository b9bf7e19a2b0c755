# Decisions that don't fit are refused: below zero always, below reserved unless forced.
configure TEE                                          -> created
receive TEE 3                                          -> received on_hand=3
adjust TEE -4                                          -> refused would-go-negative on_hand=3
adjust TEE -4 force                                    -> refused would-go-negative on_hand=3
adjust TEE -1                                          -> adjusted on_hand=2
adjust TEE +2                                          -> adjusted on_hand=4
reserve r1 TEE 3                                       -> created
adjust TEE -1                                          -> adjusted on_hand=3
adjust TEE -1                                          -> refused below-reserved on_hand=3 reserved=3
show TEE                                               -> available=0 on_hand=3 reserved=3 received=3

# What is not known gets nothing, and nothing is created.
adjust NIX +1                                          -> refused unknown-sku NIX
adjust TEE +1 at=moon                                  -> refused unknown-location TEE@moon
receive NIX 1                                          -> refused unknown-sku NIX
show NIX                                               -> unknown-sku
receive TEE 1 at=store                                 -> received on_hand=1  # known from now on
adjust TEE +1 at=store                                 -> adjusted on_hand=2

# Compare and set: stock_version leaves reservations out.
reserve r2 TEE@store 1                                 -> created
receive TEE 1 if=99                                    -> refused version-changed expected=99 actual=7
receive TEE 1 if=7                                     -> received on_hand=4
adjust TEE -1 if=7                                     -> refused version-changed expected=7 actual=8
adjust TEE -1 if=8                                     -> adjusted on_hand=3
