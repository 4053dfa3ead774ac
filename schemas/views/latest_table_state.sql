-- What the last fold or round of maintenance left of each current table: how far it is folded, its files and bytes.
SELECT
  s.table_name,
  s.run_id,
  s.at,
  s.seq,
  s.head_seq,
  s.rows_written,
  s.files,
  s.bytes,
  s.version
FROM (
  SELECT
    table_state.*,
    ROW_NUMBER() OVER (PARTITION BY table_name ORDER BY seq DESC, table_state.at DESC, run_id DESC) AS place
  FROM table_state
) s
WHERE s.place = 1
