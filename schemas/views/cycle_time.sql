-- Completed tasks: minutes from creation (lead) and from the first start (cycle) to the last completion, in calendar time; what was estimated and what was logged.
SELECT
  p.key AS project,
  t.key AS task,
  t.title,
  h.completed_at,
  h.completed_minute - h.created_minute AS lead_minutes,
  h.completed_minute - h.started_minute AS cycle_minutes,
  t.estimate_low,
  t.estimate_likely,
  t.estimate_high,
  t.actual_minutes AS logged_minutes
FROM (
  SELECT
    task_id,
    MIN(at_minute) AS created_minute,
    MIN(CASE WHEN to_value = 'in_progress' THEN at_minute END) AS started_minute,
    MAX(CASE WHEN to_value = 'completed' THEN at_minute END) AS completed_minute,
    MAX(CASE WHEN to_value = 'completed' THEN field_changes.at END) AS completed_at
  FROM field_changes
  WHERE field = 'status'
  GROUP BY task_id
) h
JOIN tasks t ON t.id = h.task_id
JOIN projects p ON p.id = t.project_id
WHERE t.status = 'completed'
  AND t.deleted_at IS NULL
  AND p.deleted_at IS NULL
  AND h.completed_minute IS NOT NULL
