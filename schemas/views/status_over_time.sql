-- How many tasks of a project stood in each status at the end of each day on which that changed. Deleted tasks are left out.
SELECT
  p.key AS project,
  d.day,
  d.status,
  SUM(d.change) OVER (PARTITION BY d.project_id, d.status ORDER BY d.day) AS tasks
FROM (
  SELECT m.project_id, m.day, m.status, SUM(m.change) AS change
  FROM (
    SELECT f.project_id, CAST(f.at AS DATE) AS day, f.to_value AS status, 1 AS change
    FROM field_changes f
    LEFT JOIN (SELECT id FROM tasks WHERE deleted_at IS NOT NULL) gone ON gone.id = f.task_id
    WHERE f.field = 'status' AND f.to_value IS NOT NULL AND gone.id IS NULL
    UNION ALL
    SELECT f.project_id, CAST(f.at AS DATE) AS day, f.from_value AS status, -1 AS change
    FROM field_changes f
    LEFT JOIN (SELECT id FROM tasks WHERE deleted_at IS NOT NULL) gone ON gone.id = f.task_id
    WHERE f.field = 'status' AND f.from_value IS NOT NULL AND gone.id IS NULL
  ) m
  GROUP BY m.project_id, m.day, m.status
) d
JOIN projects p ON p.id = d.project_id
