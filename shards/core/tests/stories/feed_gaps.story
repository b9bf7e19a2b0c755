# Gaps are reported where a source leaves none.
policy gapless_max=1
configure TEE                                          -> created
receive TEE 1 source=gapless-1 seq=1/1                 -> received on_hand=1
receive TEE 1 source=gapless-1 seq=1/2                 -> received on_hand=2
receive TEE 1 source=gapless-1 seq=1/5                 -> received on_hand=3, sequences 3 to 4 have not come
receive TEE 1 source=gapless-1 seq=1/4                 -> received late on_hand=4
receive TEE 1 source=w seq=1/1                         -> received on_hand=5
receive TEE 1 source=w seq=1/5                         -> received on_hand=6

# Older than the window is stale, whatever it was.
receive TEE 1 source=w seq=1/2000                      -> received on_hand=7
receive TEE 1 source=w seq=1/977                       -> received late on_hand=8
receive TEE 1 source=w seq=1/976                       -> received stale on_hand=8
receive TEE 2 source=w seq=1/5                         -> received stale on_hand=8
show TEE                                               -> available=8 on_hand=8 received=8
