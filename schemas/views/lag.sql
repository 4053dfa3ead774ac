-- How far each current table is behind the journal: the seq it is folded to, patch sets that wait, minutes since the oldest of them. A fold is noted when all tables have it, so they share one seq.
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
    -- Minutes from the parts of a date, because engines differ in how they subtract times; exact from 1901 to 2099.
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
