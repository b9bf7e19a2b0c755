# Where a hold lies makes no difference to its customer's limit.
configure TEE limit=3/1h                               -> created
receive TEE 5                                          -> received on_hand=5
receive TEE 5 at=store                                 -> received on_hand=5
reserve r1 TEE@main 3 customer=ann                     -> created
move r1 TEE main store units=1                         -> moved TEE@main 2 + TEE@store 1
reserve r2 TEE 1 customer=ann                          -> refused customer-limit TEE limit=3 counted=3 frees_at=+1h
move r1 TEE main store                                 -> moved TEE@store 3
reserve r2 TEE 1 customer=ann                          -> refused customer-limit TEE limit=3 counted=3 frees_at=+1h
confirm r1 TEE 1 rest=keep                             -> confirmed open=2 confirmed=1
cancel r1                                              -> cancelled
reserve r2 TEE 2 customer=ann                          -> refused customer-limit TEE limit=3 counted=2 frees_at=+1h
move r1 TEE store main                                 -> moved TEE@store 1 + TEE@main 2
reserve r2 TEE 2 customer=ann                          -> refused customer-limit TEE limit=3 counted=2 frees_at=+1h
reserve r2 TEE 1 customer=ann                          -> created
down 1s                                                -> resumed grace=1s
reserve r3 TEE 1 customer=ann                          -> refused customer-limit TEE limit=3 counted=3 frees_at=+1h
show r1                                                -> open: TEE@store confirmed=1 cancelled=1 + TEE@main open=2; until=+10m
