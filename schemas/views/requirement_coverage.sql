-- Requirements with the number of tasks that cover each one, and its coverage: uncovered, planned, started, or done. Cancelled tasks do not count. An archived task counts if it was completed.
SELECT
  p.key AS project,
  r.label AS requirement,
  r.text,
  r.source,
  r.source_line,
  COUNT(t.id) AS tasks,
  SUM(CASE WHEN t.status = 'completed' THEN 1 ELSE 0 END) AS completed,
  CASE
    WHEN COUNT(t.id) = 0 THEN 'uncovered'
    WHEN SUM(CASE WHEN t.status = 'completed' THEN 1 ELSE 0 END) = COUNT(t.id) THEN 'done'
    WHEN SUM(CASE WHEN t.status IN ('in_progress', 'review', 'completed') THEN 1 ELSE 0 END) > 0 THEN 'started'
    ELSE 'planned'
  END AS coverage
FROM requirements r
JOIN projects p ON p.id = r.project_id
LEFT JOIN (SELECT * FROM task_requirements WHERE deleted_at IS NULL) a ON a.requirement_id = r.id
LEFT JOIN (
  -- An archived task still counts if it was completed.
  SELECT tasks.id, CASE WHEN tasks.status = 'archived' THEN 'completed' ELSE tasks.status END AS status
  FROM tasks
  WHERE deleted_at IS NULL
    AND tasks.status <> 'cancelled'
    AND (tasks.status <> 'archived' OR completed_at IS NOT NULL)
) t ON t.id = a.task_id
WHERE r.deleted_at IS NULL
  AND p.deleted_at IS NULL
GROUP BY p.key, r.label, r.text, r.source, r.source_line
