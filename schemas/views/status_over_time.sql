-- Number of tasks of each project in each status, at the end of each day on which the number changed. Deleted tasks are excluded.
SELECT
  p.key AS project,
  d.day,
  d.status,
  SUM(d.change) OVER (PARTITION BY d.project_id, d.status ORDER BY d.day) AS tasks
FROM (
  SELECT m.project_id, m.day, m.status, SUM(m.change) AS change
  FROM (
    SELECT
      c.project_id,
      c.day,
      CASE WHEN s.side = 1 THEN c.to_value ELSE c.from_value END AS status,
      s.side * c.tasks AS change
    FROM (
      SELECT f.project_id, CAST(f.at AS DATE) AS day, f.from_value, f.to_value, COUNT(*) AS tasks
      FROM field_changes f
      WHERE f.field = 'status'
        AND NOT EXISTS (SELECT 1 FROM tasks gone WHERE gone.id = f.task_id AND gone.deleted_at IS NOT NULL)
      GROUP BY f.project_id, CAST(f.at AS DATE), f.from_value, f.to_value
    ) c
    CROSS JOIN (SELECT 1 AS side UNION ALL SELECT -1 AS side) s
  ) m
  WHERE m.status IS NOT NULL
  GROUP BY m.project_id, m.day, m.status
) d
JOIN projects p ON p.id = d.project_id
