-- Milestones of live projects with date and status, cancelled ones excluded. late is 1 if the milestone is open after its date or was completed after it, 0 otherwise, and null without a date.
SELECT
  p.key AS project,
  t.key AS task,
  t.title,
  t.status,
  u.handle AS assignee,
  t.due_date,
  t.completed_at,
  CASE
    WHEN t.due_date IS NULL THEN NULL
    WHEN t.completed_at IS NULL AND t.due_date < c.today THEN 1
    WHEN CAST(t.completed_at AS DATE) > t.due_date THEN 1
    ELSE 0
  END AS late
FROM tasks t
JOIN projects p ON p.id = t.project_id
LEFT JOIN users u ON u.id = t.assignee_id
CROSS JOIN clock c
WHERE t.kind = 'milestone'
  AND t.deleted_at IS NULL
  AND p.deleted_at IS NULL
  AND p.status <> 'archived'
  AND t.status <> 'cancelled'
  -- An archived milestone still counts if it was completed.
  AND (t.status <> 'archived' OR t.completed_at IS NOT NULL)
