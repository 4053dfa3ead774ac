-- Tasks without parts of their own completed in each week (which begins on Monday), and the likely minutes they were planned with.
SELECT
  p.key AS project,
  CAST(DATE_TRUNC('week', h.completed_at) AS DATE) AS week,
  COUNT(*) AS tasks,
  SUM(COALESCE(t.estimate_likely, 0)) AS likely_minutes,
  SUM(COALESCE(t.actual_minutes, 0)) AS logged_minutes
FROM (
  SELECT task_id, MAX(field_changes.at) AS completed_at
  FROM field_changes
  WHERE field = 'status' AND to_value = 'completed'
  GROUP BY task_id
) h
JOIN tasks t ON t.id = h.task_id
JOIN projects p ON p.id = t.project_id
LEFT JOIN (
  SELECT DISTINCT parent_id FROM tasks WHERE deleted_at IS NULL AND parent_id IS NOT NULL
) parts ON parts.parent_id = t.id
WHERE t.status = 'completed'
  AND t.deleted_at IS NULL
  AND p.deleted_at IS NULL
  AND parts.parent_id IS NULL
GROUP BY p.key, CAST(DATE_TRUNC('week', h.completed_at) AS DATE)
