-- Status changes of tasks after their creation: old status, new status, time, and actor. Deleted tasks and projects are excluded.
SELECT
  p.key AS project,
  t.key AS task,
  t.title,
  f.from_value,
  f.to_value,
  f.at,
  f.actor,
  f.seq
FROM field_changes f
JOIN tasks t ON t.id = f.task_id
JOIN projects p ON p.id = t.project_id
WHERE f.field = 'status'
  AND f.from_value IS NOT NULL
  AND t.deleted_at IS NULL
  AND p.deleted_at IS NULL
