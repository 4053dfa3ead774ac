-- Number of tasks (scope) and number of completed tasks of each live project at the end of each day on which either number changed. Only tasks without subtasks count, and milestones do not. A cancelled task leaves the scope on the day of its cancellation.
SELECT
  p.key AS project,
  d.day,
  SUM(d.scope) OVER (PARTITION BY d.project_id ORDER BY d.day) AS scope,
  SUM(d.completed) OVER (PARTITION BY d.project_id ORDER BY d.day) AS completed
FROM (
  SELECT
    c.project_id,
    c.day,
    SUM(c.counts_after - c.counts_before) AS scope,
    SUM(c.done_after - c.done_before) AS completed
  FROM (
    SELECT
      t.project_id,
      CAST(f.at AS DATE) AS day,
      -- An archived task still counts if it was completed.
      CASE WHEN f.to_value IS NULL OR f.to_value = 'cancelled' THEN 0 WHEN f.to_value = 'archived' AND t.completed_at IS NULL THEN 0 ELSE 1 END AS counts_after,
      CASE WHEN f.from_value IS NULL OR f.from_value = 'cancelled' THEN 0 WHEN f.from_value = 'archived' AND t.completed_at IS NULL THEN 0 ELSE 1 END AS counts_before,
      CASE WHEN f.to_value = 'completed' THEN 1 WHEN f.to_value = 'archived' AND t.completed_at IS NOT NULL THEN 1 ELSE 0 END AS done_after,
      CASE WHEN f.from_value = 'completed' THEN 1 WHEN f.from_value = 'archived' AND t.completed_at IS NOT NULL THEN 1 ELSE 0 END AS done_before
    FROM (
      SELECT own.id, own.project_id, own.completed_at
      FROM tasks own
      WHERE own.deleted_at IS NULL
        AND own.kind <> 'milestone'
        AND NOT EXISTS (SELECT 1 FROM tasks part WHERE part.parent_id = own.id AND part.deleted_at IS NULL)
    ) t
    JOIN field_changes f ON f.task_id = t.id
    WHERE f.field = 'status'
  ) c
  GROUP BY c.project_id, c.day
) d
JOIN projects p ON p.id = d.project_id
WHERE p.deleted_at IS NULL
  AND p.status <> 'archived'
  AND (d.scope <> 0 OR d.completed <> 0)
