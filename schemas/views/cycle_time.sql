-- Completed tasks without parts of their own, archived since or not: minutes from creation (lead) and from the first start (cycle) to the last completion, in calendar time; what was estimated and what was logged. What was done already when it was planned has no lead.
SELECT
  p.key AS project,
  t.key AS task,
  t.title,
  t.completed_at,
  -- What was done already when it was planned had no lead.
  CASE WHEN t.completed_at > t.created_at THEN t.lead_minutes END AS lead_minutes,
  t.cycle_minutes,
  t.estimate_low,
  t.estimate_likely,
  t.estimate_high,
  t.actual_minutes AS logged_minutes
FROM tasks t
JOIN projects p ON p.id = t.project_id
-- What is archived still counts if it was completed.
WHERE t.status IN ('completed', 'archived')
  AND t.deleted_at IS NULL
  AND p.deleted_at IS NULL
  AND t.completed_at IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM tasks part WHERE part.parent_id = t.id AND part.deleted_at IS NULL)
