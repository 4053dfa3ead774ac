-- Number of tasks completed in each week (starting on Monday), with their likely and logged effort in minutes. Only tasks without subtasks count, including archived ones and without milestones. Tasks that were already done when they were planned are excluded.
SELECT
  p.key AS project,
  CAST(DATE_TRUNC('week', t.completed_at) AS DATE) AS week,
  COUNT(*) AS tasks,
  SUM(COALESCE(t.estimate_likely, 0)) AS likely_minutes,
  SUM(COALESCE(t.actual_minutes, 0)) AS logged_minutes
FROM tasks t
JOIN projects p ON p.id = t.project_id
-- An archived task still counts if it was completed.
WHERE t.status IN ('completed', 'archived')
  AND t.kind <> 'milestone'
  AND t.deleted_at IS NULL
  AND p.deleted_at IS NULL
  -- A task that was already done when it was planned does not contribute to velocity.
  AND t.completed_at > t.created_at
  AND NOT EXISTS (SELECT 1 FROM tasks part WHERE part.parent_id = t.id AND part.deleted_at IS NULL)
GROUP BY p.key, CAST(DATE_TRUNC('week', t.completed_at) AS DATE)
