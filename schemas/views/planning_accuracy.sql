-- Completed tasks with an estimate and without subtasks, including archived ones: actual effort compared with the likely estimate. actual_source is the origin of the actual effort: logged, or status_history (elapsed time, counted as 8 of 24 hours).
SELECT
  a.project,
  a.task,
  a.title,
  a.completed_at,
  a.estimate_low,
  a.estimate_likely,
  a.estimate_high,
  a.actual_minutes,
  a.actual_source,
  CAST(a.actual_minutes AS DOUBLE) / a.estimate_likely AS ratio,
  CASE
    WHEN a.estimate_low IS NULL OR a.estimate_high IS NULL THEN NULL
    WHEN a.actual_minutes BETWEEN a.estimate_low AND a.estimate_high THEN 1
    ELSE 0
  END AS within_range
FROM (
  SELECT
    c.project,
    c.task,
    c.title,
    c.completed_at,
    c.estimate_low,
    c.estimate_likely,
    c.estimate_high,
    -- Uses FLOOR, because integer division returns an integer in some engines only.
    COALESCE(c.logged_minutes, CAST(FLOOR(CAST(c.cycle_minutes AS DOUBLE) / 3) AS INT)) AS actual_minutes,
    CASE WHEN c.logged_minutes IS NOT NULL THEN 'logged' ELSE 'status_history' END AS actual_source
  FROM cycle_time c
  WHERE c.estimate_likely > 0
    AND (c.logged_minutes IS NOT NULL OR c.cycle_minutes IS NOT NULL)
) a
