-- Open tasks and milestones with project, assignee, effort, and due date.
SELECT
  p.key AS project,
  t.key AS task,
  t.title,
  t.kind,
  t.status,
  t.priority,
  u.handle AS assignee,
  t.estimate_low,
  t.estimate_likely,
  t.estimate_high,
  t.actual_minutes,
  t.due_date,
  t.path,
  t.depth
FROM tasks t
JOIN projects p ON p.id = t.project_id
LEFT JOIN users u ON u.id = t.assignee_id
WHERE t.deleted_at IS NULL
  AND p.deleted_at IS NULL
  AND p.status <> 'archived'
  AND t.status NOT IN ('completed', 'cancelled', 'archived')
