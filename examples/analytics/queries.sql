-- What the files of `holdfast-analytics follow events` have: `duckdb -init examples/analytics/queries.sql`
-- in the folder that has `events/`. The columns are named, so that what a type of event has besides,
-- or a later version adds, changes nothing; `data` is JSON, whose fields docs/events.md tells.

CREATE OR REPLACE VIEW rows AS
SELECT * FROM read_json('events/*.ndjson', format = 'newline_delimited', filename = true, columns = {
    id: 'VARCHAR', source: 'VARCHAR', type: 'VARCHAR', time: 'TIMESTAMP', subject: 'VARCHAR', sequence: 'VARCHAR', data: 'JSON'});

-- What happened, each event once. After a server's data was set back to an older copy, ids are given
-- anew: what lies in the files before the snapshot that follows was undone.
CREATE OR REPLACE VIEW events AS
SELECT source, id, type, time, subject AS sku, sequence, (data->>'qty')::BIGINT AS qty, data
FROM rows WHERE id IS NOT NULL;

-- What there is now: after each SKU's last event, or in the snapshot if nothing happened to it. A
-- snapshot has all there is, so that older files count no more.
CREATE OR REPLACE VIEW stock AS
SELECT sku, (after->>'available')::BIGINT AS available, (after->>'on_hand')::BIGINT AS on_hand,
    (after->>'reserved')::BIGINT AS reserved, (after->>'sold')::BIGINT AS sold
FROM (
    SELECT subject AS sku, arg_max((data->'after'), (filename, coalesce(sequence, ''))) AS after
    FROM rows WHERE (data->'after') IS NOT NULL AND filename >= (
        SELECT coalesce(max(filename), '') FROM rows WHERE type = 'snapshot') GROUP BY subject);

-- SELECT * FROM stock ORDER BY available;
-- SELECT time::DATE AS day, sku, sum(qty) AS sold FROM events
--     WHERE type = 'holdfast.reservation.confirmed.v1' GROUP BY ALL ORDER BY ALL;
-- COPY events TO 'events.parquet' (FORMAT parquet);
