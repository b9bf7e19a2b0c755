# A message that comes again changes nothing; one that comes late is booked, once.
configure TEE                                          -> created
receive TEE 1 source=w seq=1/1                         -> received on_hand=1
receive TEE 1 source=w seq=1/1                         -> received duplicate on_hand=1
receive TEE 1 source=w seq=1/3                         -> received on_hand=2
receive TEE 2 source=w seq=1/2                         -> received late on_hand=4
receive TEE 2 source=w seq=1/2                         -> received duplicate on_hand=4
show TEE                                               -> available=4 on_hand=4 received=4
receive TEE 1 source=v seq=1/1                         -> received on_hand=5  # another source
receive TEE 1 source=w seq=1/1 at=store                -> received on_hand=1  # another stream

# An absolute applies if its sequence and its time are newer.
count TEE 9 source=w seq=1/6                           -> counted on_hand=9 adjusted=4
count TEE 4 source=w seq=1/5                           -> counted stale on_hand=9 adjusted=4
receive TEE 3 source=w seq=1/4                         -> received superseded on_hand=9  # the count has seen it
show TEE                                               -> available=10 on_hand=10 received=9 adjusted=1
receive TEE 3 source=w seq=1/7                         -> received on_hand=12
wait 1m                                                -> ok
count TEE 12 source=w seq=1/8                          -> counted on_hand=12 adjusted=1
count TEE 1 source=w seq=1/9 taken=+10s                -> counted stale on_hand=12 adjusted=1
count TEE 1 source=w seq=1/9 taken=+10s                -> counted duplicate on_hand=12 adjusted=1
count TEE 2 source=v seq=1/9 taken=+10s                -> counted stale on_hand=12 adjusted=1  # whoever counted last
receive TEE 1 source=v seq=1/10 occurred=+10s          -> received superseded on_hand=12  # by its time, for it did not count itself

# A new epoch numbers anew.
receive TEE 1 source=w seq=2/1                         -> received on_hand=13
receive TEE 1 source=w seq=2/1                         -> received duplicate on_hand=13

# The id of a message is kept beside.
receive TEE 1 source=w msg=a                           -> received on_hand=14
receive TEE 1 source=w msg=a                           -> received duplicate on_hand=14
receive TEE 2 source=w msg=a                           -> received duplicate on_hand=14
receive TEE 1 source=v msg=a                           -> received on_hand=15

# A key is looked at first.
receive TEE 1 source=w seq=2/2 key=k1                  -> received on_hand=16
receive TEE 1 source=w seq=2/2 key=k1                  -> again: received on_hand=16
receive TEE 1 source=w seq=2/2 key=k2                  -> received duplicate on_hand=16
# A refusal leaves the stream where it was.
adjust TEE -99 source=w seq=2/3                        -> refused would-go-negative on_hand=16
receive TEE 1 source=w seq=2/3 if=1                    -> refused version-changed expected=1 actual=15
receive TEE 1 source=w seq=2/3                         -> received on_hand=17
receive NIX 1 source=w seq=1/1                         -> refused unknown-sku NIX

# Within a stream that counts, its sequence decides, whatever its clock says; after somebody else's
# count, its clock does.
configure MUG                                          -> created
count MUG 5 source=w seq=1/1                           -> counted on_hand=5 adjusted=5
receive MUG 2 source=w seq=1/2 occurred=+0s            -> received on_hand=7
wait 1m                                                -> ok
count MUG 9                                            -> counted on_hand=9 adjusted=7
receive MUG 2 source=w seq=1/3 occurred=+0s            -> received superseded on_hand=9
receive MUG 2 source=w seq=1/4                         -> received on_hand=11
