-- Open work by project and person: number of tasks without subtasks and without milestones, number of those in progress or in review (in_progress), and likely remaining effort in minutes.
SELECT
  p.key AS project,
  COALESCE(u.handle, 'nobody') AS assignee,
  SUM(s.tasks) AS tasks,
  SUM(s.in_progress) AS in_progress,
  SUM(s.likely_minutes) AS likely_minutes,
  SUM(s.remaining_minutes) AS remaining_minutes,
  SUM(s.without_estimate) AS without_estimate,
  MIN(s.first_due) AS first_due
FROM (
  SELECT
    t.project_id,
    t.assignee_id,
    COUNT(*) AS tasks,
    SUM(CASE WHEN t.status IN ('in_progress', 'review') THEN 1 ELSE 0 END) AS in_progress,
    SUM(COALESCE(t.estimate_likely, 0)) AS likely_minutes,
    SUM(CASE
      WHEN COALESCE(t.estimate_likely, 0) > COALESCE(t.actual_minutes, 0)
        THEN COALESCE(t.estimate_likely, 0) - COALESCE(t.actual_minutes, 0)
      ELSE 0
    END) AS remaining_minutes,
    SUM(CASE WHEN t.estimate_likely IS NULL THEN 1 ELSE 0 END) AS without_estimate,
    MIN(t.due_date) AS first_due
  FROM tasks t
  WHERE t.deleted_at IS NULL
    AND t.kind <> 'milestone'
    AND t.status NOT IN ('completed', 'cancelled', 'archived')
    AND NOT EXISTS (SELECT 1 FROM tasks part WHERE part.parent_id = t.id AND part.deleted_at IS NULL)
  GROUP BY t.project_id, t.assignee_id
) s
JOIN projects p ON p.id = s.project_id
LEFT JOIN users u ON u.id = s.assignee_id
WHERE p.deleted_at IS NULL
  AND p.status <> 'archived'
GROUP BY p.key, COALESCE(u.handle, 'nobody')
