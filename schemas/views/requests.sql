-- Requests in the inbox, one row per request_id, with the state of each: waiting, applied, refused, or conflict.
-- Several inbox rows can have the same request_id. Before the answer, the view shows the first row by time, user, and
-- hash. After the answer, it shows the answered row and ignores later rows. user and patch_set are null if the answered
-- row was deleted from the inbox or changed after the answer. Rows without a request_id are not requests.
SELECT
  shown.request_id,
  shown.at,
  shown.user,
  shown.state,
  shown.answered_at,
  shown.seq,
  shown.message,
  shown.created_keys,
  shown.patch_set
FROM (
  SELECT
    i.request_id,
    CASE WHEN i.is_own = 1 OR i.request_at IS NULL THEN i.at ELSE i.request_at END AS at,
    CASE WHEN i.is_own = 1 THEN i.user END AS user,
    CASE WHEN i.outcome IS NULL THEN 'waiting' ELSE i.outcome END AS state,
    i.answered_at,
    i.seq,
    i.message,
    i.created_keys,
    CASE WHEN i.is_own = 1 THEN i.patch_set END AS patch_set,
    ROW_NUMBER() OVER (
      PARTITION BY i.request_key
      ORDER BY i.is_own DESC, i.at ASC NULLS LAST, i.user ASC NULLS LAST, i.request_hash ASC
    ) AS place
  FROM (
    SELECT
      asked.request_id,
      asked.request_key,
      asked.request_hash,
      asked.at,
      asked.user,
      asked.patch_set,
      r.outcome,
      r.at AS answered_at,
      r.seq,
      r.message,
      r.created_keys,
      r.request_at,
      -- Answers from earlier versions do not identify the row. The view then uses the first row.
      CASE
        WHEN r.request_hash IS NULL THEN 1
        WHEN r.request_hash = asked.request_hash
          AND (r.request_at IS NULL OR r.request_at = asked.at) THEN 1
        ELSE 0
      END AS is_own
    FROM (
      SELECT
        inbox.*,
        substr(inbox.request_id, 1, 1000) AS request_key,
        md5(concat(coalesce(inbox.user, ''), ' ', coalesce(inbox.patch_set, ''))) AS request_hash
      FROM inbox
      WHERE inbox.request_id IS NOT NULL
    ) asked
    LEFT JOIN (
      -- If a request has two answers, the one in the journal counts.
      SELECT
        inbox_results.*,
        ROW_NUMBER() OVER (
          PARTITION BY request_id
          ORDER BY CASE WHEN seq IS NULL THEN 1 ELSE 0 END, inbox_results.at
        ) AS place
      FROM inbox_results
    ) r ON r.request_id = asked.request_key AND r.place = 1
  ) i
) shown
WHERE shown.place = 1
UNION ALL
SELECT
  gone.request_id,
  gone.request_at AS at,
  CAST(NULL AS STRING) AS user,
  gone.outcome AS state,
  gone.at AS answered_at,
  gone.seq,
  gone.message,
  gone.created_keys,
  CAST(NULL AS STRING) AS patch_set
FROM (
  SELECT
    inbox_results.*,
    ROW_NUMBER() OVER (
      PARTITION BY request_id
      ORDER BY CASE WHEN seq IS NULL THEN 1 ELSE 0 END, inbox_results.at
    ) AS place
  FROM inbox_results
) gone
LEFT JOIN (
  SELECT DISTINCT substr(inbox.request_id, 1, 1000) AS request_key FROM inbox WHERE inbox.request_id IS NOT NULL
) kept ON kept.request_key = gone.request_id
WHERE gone.place = 1 AND kept.request_key IS NULL
