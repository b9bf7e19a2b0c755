# Decided drifts, messages and silent streams go in recorded batches; what is open or held up stays.
policy order_retention=1m message_retention=2m stream_retention=3m key_retention=30s retention=30s
configure TEE                                          -> created
receive TEE 1 source=w seq=1/1 msg=a                   -> received on_hand=1
receive TEE 1 source=v seq=1/1                         -> received on_hand=2
receive TEE 2 source=v seq=1/1                         -> refused stream-quarantined contradiction, recorded
ship TEE 5                                             -> shipped 0 of 5, d1 on_hand=2 sold=0 shipped=0
ship TEE 5                                             -> shipped 0 of 5, d2 on_hand=2 sold=0 shipped=0
dismiss d1 reason=no                                   -> d1 shipped-unsold TEE@main expected=0 found=5 propose: look; dismissed: no
receive TEE 1 source=u msg=a key=k1                    -> received on_hand=3
advance 59s                                            -> forgot keys before 1
advance 1s                                             -> forgot d1
show d1                                                -> unknown-drift
show d2                                                -> shipped-unsold TEE@main expected=0 found=5 propose: look; open
advance 1m                                             -> forgot messages of TEE
receive TEE 1 source=w msg=a                           -> received on_hand=4
advance 1m                                             -> forgot the stream of w
receive TEE 1 source=w seq=1/1                         -> received on_hand=5
receive TEE 1 source=v seq=1/2                         -> refused stream-quarantined contradiction
show TEE                                               -> available=5 on_hand=5 received=5
