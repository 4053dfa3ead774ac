-- Tasks without parts of their own completed in each week (which begins on Monday), archived since or not, and the likely minutes they were planned with. What was done already when it was planned is left out.
SELECT
  p.key AS project,
  CAST(DATE_TRUNC('week', t.completed_at) AS DATE) AS week,
  COUNT(*) AS tasks,
  SUM(COALESCE(t.estimate_likely, 0)) AS likely_minutes,
  SUM(COALESCE(t.actual_minutes, 0)) AS logged_minutes
FROM tasks t
JOIN projects p ON p.id = t.project_id
-- What is archived still counts if it was completed.
WHERE t.status IN ('completed', 'archived')
  AND t.deleted_at IS NULL
  AND p.deleted_at IS NULL
  -- What was done already when it was planned tells no speed.
  AND t.completed_at > t.created_at
  AND NOT EXISTS (SELECT 1 FROM tasks part WHERE part.parent_id = t.id AND part.deleted_at IS NULL)
GROUP BY p.key, CAST(DATE_TRUNC('week', t.completed_at) AS DATE)
