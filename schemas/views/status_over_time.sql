-- How many tasks of a project stood in each status at the end of each day on which that changed.
SELECT
  p.key AS project,
  d.day,
  d.status,
  SUM(d.change) OVER (PARTITION BY d.project_id, d.status ORDER BY d.day) AS tasks
FROM (
  SELECT m.project_id, m.day, m.status, SUM(m.change) AS change
  FROM (
    SELECT project_id, CAST(at AS DATE) AS day, to_value AS status, 1 AS change
    FROM field_changes WHERE field = 'status' AND to_value IS NOT NULL
    UNION ALL
    SELECT project_id, CAST(at AS DATE) AS day, from_value AS status, -1 AS change
    FROM field_changes WHERE field = 'status' AND from_value IS NOT NULL
  ) m
  GROUP BY m.project_id, m.day, m.status
) d
JOIN projects p ON p.id = d.project_id
