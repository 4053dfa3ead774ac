-- Every request of the inbox, once each, with its answer: waiting, applied, refused or conflict.
SELECT
  i.request_id,
  i.at,
  i.user,
  CASE WHEN r.outcome IS NULL THEN 'waiting' ELSE r.outcome END AS state,
  r.at AS answered_at,
  r.seq,
  r.message,
  r.created_keys,
  i.patch_set
FROM (
  SELECT inbox.*, ROW_NUMBER() OVER (PARTITION BY request_id ORDER BY inbox.at, inbox.patch_set) AS place
  FROM inbox
) i
LEFT JOIN (
  -- Where two answered at the same time, what is in the journal counts.
  SELECT
    inbox_results.*,
    ROW_NUMBER() OVER (
      PARTITION BY request_id
      ORDER BY CASE WHEN seq IS NULL THEN 1 ELSE 0 END, inbox_results.at
    ) AS place
  FROM inbox_results
) r ON r.request_id = i.request_id AND r.place = 1
WHERE i.place = 1
