# What was there when a SKU began here is said once, while nothing has happened there. The orders of
# the system before are sold and have not left.
configure TEE                                          -> created
opening TEE on_hand=5 unshipped=3 returned=1 damaged=2 -> opened on_hand=5 received=11
show TEE                                               -> available=5 on_hand=5 sold=3 returned=1 damaged=2 received=11
ship TEE 3                                             -> shipped on_hand=5 sold=3 shipped=3
opening TEE on_hand=1                                  -> refused already-opened TEE at=main
opening TEE on_hand=1 at=store                         -> opened on_hand=1 received=1
show TEE                                               -> available=6 on_hand=6 sold=3 shipped=3 returned=1 damaged=2 received=12
# Safety stock is a setting, nothing that happened.
configure MUG safety@main=1                            -> created
opening MUG on_hand=2                                  -> opened on_hand=2 received=2
opening NIX on_hand=1                                  -> refused unknown-sku NIX
