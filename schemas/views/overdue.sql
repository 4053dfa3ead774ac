-- Open tasks whose own due date has passed, including tasks with subtasks.
SELECT
  p.key AS project,
  t.key AS task,
  t.title,
  t.status,
  u.handle AS assignee,
  t.due_date
FROM tasks t
JOIN projects p ON p.id = t.project_id
CROSS JOIN clock c
LEFT JOIN users u ON u.id = t.assignee_id
WHERE t.deleted_at IS NULL
  AND p.deleted_at IS NULL
  AND p.status <> 'archived'
  AND t.status NOT IN ('completed', 'cancelled', 'archived')
  AND t.due_date < c.today
