-- The view burn_up as points for a line chart: each day with a change, the day before the next change with the same numbers, and today. Straight lines between these points show the steps.
SELECT
  b.project,
  CASE WHEN e.is_end = 1 THEN b.last_day ELSE b.day END AS day,
  b.scope,
  b.completed
FROM (
  SELECT
    u.project,
    u.day,
    u.scope,
    u.completed,
    COALESCE(CAST(LEAD(u.day) OVER (PARTITION BY u.project ORDER BY u.day) - INTERVAL '1' DAY AS DATE), c.today) AS last_day
  FROM burn_up u
  CROSS JOIN clock c
) b
CROSS JOIN (SELECT 0 AS is_end UNION ALL SELECT 1 AS is_end) e
WHERE e.is_end = 0
  OR b.last_day > b.day
