-- Open work by person: tasks without parts of their own, and the likely minutes they still need.
SELECT
  COALESCE(u.handle, 'nobody') AS assignee,
  COUNT(*) AS tasks,
  SUM(CASE WHEN t.status = 'in_progress' THEN 1 ELSE 0 END) AS in_progress,
  SUM(COALESCE(t.estimate_likely, 0)) AS likely_minutes,
  SUM(CASE
    WHEN COALESCE(t.estimate_likely, 0) > COALESCE(t.actual_minutes, 0)
      THEN COALESCE(t.estimate_likely, 0) - COALESCE(t.actual_minutes, 0)
    ELSE 0
  END) AS remaining_minutes,
  SUM(CASE WHEN t.estimate_likely IS NULL THEN 1 ELSE 0 END) AS without_estimate,
  MIN(t.due_date) AS first_due
FROM tasks t
JOIN projects p ON p.id = t.project_id
LEFT JOIN users u ON u.id = t.assignee_id
WHERE t.deleted_at IS NULL
  AND p.deleted_at IS NULL
  AND p.status <> 'archived'
  AND t.status NOT IN ('completed', 'cancelled', 'archived')
  AND NOT EXISTS (SELECT 1 FROM tasks part WHERE part.parent_id = t.id AND part.deleted_at IS NULL)
GROUP BY COALESCE(u.handle, 'nobody')
