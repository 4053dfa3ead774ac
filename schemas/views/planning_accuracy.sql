-- Completed tasks with an estimate: what they took against what was likely. actual_source says whether the work was logged, or is taken from the status history at 8 of 24 hours.
SELECT
  c.project,
  c.task,
  c.title,
  c.completed_at,
  t.estimate_low,
  t.estimate_likely,
  t.estimate_high,
  CASE WHEN t.actual_minutes IS NOT NULL THEN t.actual_minutes ELSE CAST(c.cycle_minutes / 3 AS INT) END AS actual_minutes,
  CASE WHEN t.actual_minutes IS NOT NULL THEN 'logged' ELSE 'status_history' END AS actual_source,
  CASE WHEN t.actual_minutes IS NOT NULL THEN t.actual_minutes ELSE c.cycle_minutes / 3 END * 1.0 / t.estimate_likely AS ratio,
  CASE
    WHEN t.estimate_low IS NULL OR t.estimate_high IS NULL THEN NULL
    WHEN CASE WHEN t.actual_minutes IS NOT NULL THEN t.actual_minutes ELSE c.cycle_minutes / 3 END
      BETWEEN t.estimate_low AND t.estimate_high THEN 1
    ELSE 0
  END AS within_range
FROM cycle_time c
JOIN tasks t ON t.key = c.task
WHERE t.deleted_at IS NULL
  AND t.estimate_likely > 0
  AND (t.actual_minutes IS NOT NULL OR c.cycle_minutes IS NOT NULL)
