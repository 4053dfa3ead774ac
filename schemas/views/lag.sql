-- Lag of each current table behind the journal: the seq up to which the table is folded, the number of pending patch sets, and the age of the oldest one in minutes. A fold is recorded after it reaches all tables, so all tables have the same seq.
SELECT
  s.table_name,
  w.seq,
  w.head_seq,
  w.sets_behind,
  CASE WHEN w.sets_behind = 0 THEN 0 ELSE CAST(w.now_minute - w.oldest_minute AS BIGINT) END AS age_minutes
FROM latest_table_state s
CROSS JOIN (
  SELECT
    q.seq,
    q.head_seq,
    q.sets_behind,
    -- Computes minutes from the parts of the date, because engines subtract times differently. Exact from 1901 to 2099.
    (EXTRACT(YEAR FROM c.now) * 365 + FLOOR((EXTRACT(YEAR FROM c.now) - 1) / 4) + EXTRACT(DOY FROM c.now)) * 1440
      + EXTRACT(HOUR FROM c.now) * 60 + EXTRACT(MINUTE FROM c.now) AS now_minute,
    (EXTRACT(YEAR FROM q.oldest) * 365 + FLOOR((EXTRACT(YEAR FROM q.oldest) - 1) / 4) + EXTRACT(DOY FROM q.oldest)) * 1440
      + EXTRACT(HOUR FROM q.oldest) * 60 + EXTRACT(MINUTE FROM q.oldest) AS oldest_minute
  FROM (
    SELECT
      f.seq,
      MAX(j.seq) AS head_seq,
      COUNT(DISTINCT CASE WHEN j.seq > f.seq THEN j.seq END) AS sets_behind,
      MIN(CASE WHEN j.seq > f.seq THEN j.at END) AS oldest
    FROM journal j
    CROSS JOIN (SELECT MAX(seq) AS seq FROM table_state) f
    WHERE j.stream = 'work'
    GROUP BY f.seq
  ) q
  CROSS JOIN clock c
) w
