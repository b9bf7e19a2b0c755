# Where stock may come in only at locations that were declared.
policy locations_declared=1
configure TEE safety@main=1                            -> created
receive TEE 5                                          -> refused undeclared-location main
receive NONE 5                                         -> refused unknown-sku NONE
receive TEE 5 if=7                                     -> refused version-changed expected=7 actual=1
location main                                          -> selling
receive TEE 5                                          -> received on_hand=5
receive TEE 5 at=store                                 -> refused undeclared-location store
location store selling=false                           -> closed  # a place that sells nothing may be filled
receive TEE 5 at=store                                 -> received on_hand=5
adjust TEE +1 at=attic                                 -> refused unknown-location TEE@attic  # unknown to the SKU, as ever
adjust TEE -1 at=store                                 -> adjusted on_hand=4
