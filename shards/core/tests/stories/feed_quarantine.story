# A source that contradicts itself, or falls back, is stopped until somebody has looked.
configure TEE                                          -> created
receive TEE 1 source=w seq=2/1                         -> received on_hand=1
receive TEE 2 source=w seq=2/1                         -> refused stream-quarantined contradiction, recorded
receive TEE 1 source=w seq=2/2                         -> refused stream-quarantined contradiction
receive TEE 1 source=v seq=1/1                         -> received on_hand=2
receive TEE 1 source=w                                 -> received on_hand=3
lift TEE source=v                                      -> refused unknown-stream
lift TEE source=w key=k1                               -> configured
lift TEE source=w key=k1                               -> again: configured
receive TEE 1 source=w seq=2/2                         -> received on_hand=4
receive TEE 1 source=w seq=1/9                         -> refused stream-quarantined fell-back, recorded
receive TEE 1 source=w seq=2/3                         -> refused stream-quarantined fell-back
lift TEE source=w                                      -> configured
receive TEE 1 source=w seq=2/3                         -> received on_hand=5
lift NIX source=w                                      -> refused unknown-sku NIX
show TEE                                               -> available=5 on_hand=5 received=5
