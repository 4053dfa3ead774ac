-- Completed tasks with an estimate: what they took against what was likely. actual_source says whether the work was logged, or is taken from the status history at 8 of 24 hours.
SELECT
  c.project,
  c.task,
  c.title,
  c.completed_at,
  c.estimate_low,
  c.estimate_likely,
  c.estimate_high,
  CASE WHEN c.logged_minutes IS NOT NULL THEN c.logged_minutes ELSE CAST(c.cycle_minutes / 3 AS INT) END AS actual_minutes,
  CASE WHEN c.logged_minutes IS NOT NULL THEN 'logged' ELSE 'status_history' END AS actual_source,
  CASE WHEN c.logged_minutes IS NOT NULL THEN c.logged_minutes ELSE c.cycle_minutes / 3 END * 1.0 / c.estimate_likely AS ratio,
  CASE
    WHEN c.estimate_low IS NULL OR c.estimate_high IS NULL THEN NULL
    WHEN CASE WHEN c.logged_minutes IS NOT NULL THEN c.logged_minutes ELSE c.cycle_minutes / 3 END
      BETWEEN c.estimate_low AND c.estimate_high THEN 1
    ELSE 0
  END AS within_range
FROM cycle_time c
WHERE c.estimate_likely > 0
  AND (c.logged_minutes IS NOT NULL OR c.cycle_minutes IS NOT NULL)
