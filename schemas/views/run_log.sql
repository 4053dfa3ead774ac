-- Commands and jobs that changed the lake, one row per run.
SELECT
  r.run_id,
  r.started_at,
  r.duration_ms,
  r.command,
  r.actor,
  r.seq,
  r.version
FROM (
  SELECT runs.*, ROW_NUMBER() OVER (PARTITION BY run_id ORDER BY started_at) AS place
  FROM runs
) r
WHERE r.place = 1
