-- Completed tasks without subtasks, including archived ones and without milestones: lead time (creation to last completion) and cycle time (first start to last completion) in calendar minutes, with the estimate and the logged effort. A task that was already done when it was planned has no lead time.
SELECT
  p.key AS project,
  t.key AS task,
  t.title,
  t.completed_at,
  -- A task that was already done when it was planned has no lead time.
  CASE WHEN t.completed_at > t.created_at THEN t.lead_minutes END AS lead_minutes,
  t.cycle_minutes,
  t.estimate_low,
  t.estimate_likely,
  t.estimate_high,
  t.actual_minutes AS logged_minutes
FROM tasks t
JOIN projects p ON p.id = t.project_id
-- An archived task still counts if it was completed.
WHERE t.status IN ('completed', 'archived')
  AND t.kind <> 'milestone'
  AND t.deleted_at IS NULL
  AND p.deleted_at IS NULL
  AND t.completed_at IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM tasks part WHERE part.parent_id = t.id AND part.deleted_at IS NULL)
