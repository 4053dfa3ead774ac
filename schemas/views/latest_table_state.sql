-- State of each current table after the last fold or maintenance run: the seq up to which it is folded, the number of files, and the size in bytes.
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
