# Refusals come in a fixed order: ttl-limit, replace-mismatch, reservation-pinned,
# unknown-sku, unknown-location, sale-paused, sale-closed, customer-required,
# customer-limit, insufficient-stock. Each line here fails in all ways that are left, and
# one reason is taken away at a time.
configure PAUSED paused=true safety@main=0             -> created
configure CLOSED closes=+0s safety@main=0              -> created
configure LIMITED limit=1/1h safety@main=0             -> created
configure EMPTY safety@main=0                          -> created
receive EMPTY 1                                        -> received on_hand=1
reserve old EMPTY 1 order=o1 customer=ann              -> created
pin old for=15m                                        -> pinned until=+15m

reserve r1 NIX 1 + EMPTY@moon 1 + PAUSED 1 + CLOSED 1 + LIMITED 2 + EMPTY 2 ttl=31m replace=old -> refused ttl-limit max=30m
reserve r1 NIX 1 + EMPTY@moon 1 + PAUSED 1 + CLOSED 1 + LIMITED 2 + EMPTY 2 replace=old -> refused replace-mismatch old
reserve r1 NIX 1 + EMPTY@moon 1 + PAUSED 1 + CLOSED 1 + LIMITED 2 + EMPTY 2 replace=old order=o1 customer=ann -> refused reservation-pinned old until=+15m
reserve r1 NIX 1 + EMPTY@moon 1 + PAUSED 1 + CLOSED 1 + LIMITED 2 + EMPTY 2 -> refused unknown-sku NIX
reserve r1 EMPTY@moon 1 + PAUSED 1 + CLOSED 1 + LIMITED 2 + EMPTY 2 -> refused unknown-location EMPTY@moon
reserve r1 PAUSED 1 + CLOSED 1 + LIMITED 2 + EMPTY 2   -> refused sale-paused PAUSED
reserve r1 CLOSED 1 + LIMITED 2 + EMPTY 2              -> refused sale-closed CLOSED closes=+0s
reserve r1 LIMITED 2 + EMPTY 2                         -> refused customer-required LIMITED
reserve r1 LIMITED 2 + EMPTY 2 customer=ann            -> refused customer-limit LIMITED limit=1 counted=0
reserve r1 LIMITED 1 + EMPTY 2 customer=ann            -> refused insufficient-stock LIMITED available=0 + EMPTY available=0

# Every offending line of the class is listed.
configure ALSO paused=true                             -> created
reserve r1 PAUSED 1 + ALSO 1 + CLOSED 1                -> refused sale-paused PAUSED + ALSO
reserve r1 NIX 1 + NOX 1 + PAUSED 1                    -> refused unknown-sku NIX + NOX
reserve r1 EMPTY@moon 1 + LIMITED@mars 1               -> refused unknown-location EMPTY@moon + LIMITED@mars

# A paused SKU that is closed as well is paused.
configure PAUSED closes=+0s                            -> configured
reserve r1 PAUSED 1 + CLOSED 1                         -> refused sale-paused PAUSED

# Refused commands have changed nothing.
show EMPTY                                             -> available=0 on_hand=1 reserved=1 received=1
show old                                               -> open: EMPTY@main open=1; until=+15m pinned_until=+15m
