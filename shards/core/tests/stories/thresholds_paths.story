# Everything that moves stock or a threshold is looked at: deadlines, movements, safety stock,
# transfers, the threshold itself. Closing a location for selling is not: it is available still.
configure TEE low=2                                    -> created
receive TEE 5                                          -> received on_hand=5
receive TEE 1 at=store                                 -> received on_hand=1
reserve r1 TEE 4 ttl=10s                               -> created
supply TEE                                             -> low +0s
advance 10s                                            -> expired r1
supply TEE                                             -> replenished +10s
adjust TEE -5                                          -> adjusted on_hand=0
supply TEE                                             -> low +10s
# A transfer changes nothing of the sum.
transfer TEE 1 at=store to=main                        -> transferred on_hand=0
supply TEE                                             -> nothing told
count TEE 9                                            -> counted on_hand=9 adjusted=3
supply TEE                                             -> replenished +10s
configure TEE safety=9                                 -> configured
supply TEE                                             -> depleted +10s, depleted_at=+10s, sold_out_at=+10s
configure TEE safety=8                                 -> configured
configure TEE low=0                                    -> configured
supply TEE                                             -> replenished +10s
configure TEE low=5                                    -> configured
supply TEE                                             -> low +10s
location main selling=false                            -> closed
supply TEE                                             -> nothing told
damage TEE 1                                           -> damaged on_hand=8 returned=0 damaged=1
supply TEE                                             -> depleted +10s, depleted_at=+10s, sold_out_at=+10s
location main selling=true                             -> selling

# A lapsed hold that stands in the way expires first, and what it frees is told, then taken.
configure MUG                                          -> created
receive MUG 1                                          -> received on_hand=1
reserve r2 MUG 1 ttl=10s                               -> created
wait 11s                                               -> ok
reserve r3 MUG 1                                       -> expired r2; created
supply MUG                                             -> depleted +10s, replenished +21s, depleted +21s, depleted_at=+21s

# A cart is one decision: it crosses for each of its SKUs.
configure CAP low=1                                    -> created
receive CAP 3                                          -> received on_hand=3
receive MUG 3                                          -> received on_hand=4
reserve r4 CAP 2 + MUG 3                               -> created
supply CAP                                             -> low +21s
supply MUG                                             -> replenished +21s, depleted +21s, depleted_at=+21s
