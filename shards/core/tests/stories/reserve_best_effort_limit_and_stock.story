# What a line can't have for want of stock is not taken off the customer's limit for the
# other lines of the SKU, and named locations are served first.
configure TEE limit=3/1h                               -> created
receive TEE 5                                          -> received on_hand=5
receive TEE 1 at=store                                 -> received on_hand=1
reserve r1 TEE@store 3 + TEE 3 best_effort customer=ann -> created TEE@store 1 of 3 + TEE@main 2 of 3, short TEE 3 of 6 insufficient-stock
release r1                                             -> released

configure TEE limit=2/1h                               -> configured
receive TEE 1 at=store                                 -> received on_hand=2
reserve r2 TEE 2 + TEE@store 2 best_effort customer=ann -> created TEE@store 2, short TEE 2 of 4 customer-limit
