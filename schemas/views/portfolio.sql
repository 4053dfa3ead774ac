-- Live projects: number of tasks by status, likely effort in minutes, and progress. Only tasks without subtasks count, and cancelled tasks and milestones do not. in_progress includes tasks in review. For progress, a task without an estimate has the average weight of the tasks with one. overdue and the due dates cover all open tasks with a due date of their own, including tasks with subtasks and milestones.
SELECT
  p.key AS project,
  p.name,
  p.status,
  COALESCE(s.tasks, 0) AS tasks,
  COALESCE(s.completed, 0) AS completed,
  COALESCE(s.in_progress, 0) AS in_progress,
  COALESCE(s.blocked, 0) AS blocked,
  COALESCE(s.overdue, 0) AS overdue,
  COALESCE(s.without_estimate, 0) AS without_estimate,
  COALESCE(s.likely_minutes, 0) AS likely_minutes,
  COALESCE(s.completed_minutes, 0) AS completed_minutes,
  COALESCE(s.remaining_minutes, 0) AS remaining_minutes,
  CASE
    WHEN s.tasks > 0 AND s.likely_minutes > 0
      THEN CAST(s.completed_minutes * (s.tasks - s.without_estimate) + s.completed_without_estimate * s.likely_minutes AS DOUBLE)
        / (s.likely_minutes * s.tasks)
    WHEN s.tasks > 0 THEN CAST(s.completed AS DOUBLE) / s.tasks
  END AS progress,
  s.next_due,
  s.last_due,
  CASE WHEN s.last_change > p.updated_at THEN s.last_change ELSE p.updated_at END AS last_activity
FROM projects p
LEFT JOIN (
  SELECT
    c.project_id,
    SUM(c.counts) AS tasks,
    SUM(c.is_done) AS completed,
    SUM(CASE WHEN c.status IN ('in_progress', 'review') THEN c.counts ELSE 0 END) AS in_progress,
    SUM(CASE WHEN c.status = 'blocked' THEN c.counts ELSE 0 END) AS blocked,
    SUM(CASE WHEN c.open_due < k.today THEN 1 ELSE 0 END) AS overdue,
    SUM(CASE WHEN c.estimate_likely > 0 THEN 0 ELSE c.counts END) AS without_estimate,
    SUM(CASE WHEN c.estimate_likely > 0 THEN 0 ELSE c.is_done END) AS completed_without_estimate,
    SUM(c.counts * COALESCE(c.estimate_likely, 0)) AS likely_minutes,
    SUM(c.is_done * COALESCE(c.estimate_likely, 0)) AS completed_minutes,
    SUM(CASE
      WHEN c.is_done = 0 AND c.estimate_likely > COALESCE(c.actual_minutes, 0)
        THEN c.counts * (c.estimate_likely - COALESCE(c.actual_minutes, 0))
      ELSE 0
    END) AS remaining_minutes,
    MIN(CASE WHEN c.open_due >= k.today THEN c.open_due END) AS next_due,
    MAX(c.open_due) AS last_due,
    MAX(c.updated_at) AS last_change
  FROM (
    SELECT
      t.project_id,
      t.status,
      t.estimate_likely,
      t.actual_minutes,
      t.updated_at,
      CASE WHEN t.status NOT IN ('completed', 'cancelled', 'archived') THEN t.due_date END AS open_due,
      -- An archived task still counts if it was completed.
      CASE
        WHEN whole.id IS NOT NULL OR t.kind = 'milestone' OR t.status = 'cancelled' OR (t.status = 'archived' AND t.completed_at IS NULL) THEN 0
        ELSE 1
      END AS counts,
      CASE
        WHEN whole.id IS NOT NULL OR t.kind = 'milestone' THEN 0
        WHEN t.status = 'completed' OR (t.status = 'archived' AND t.completed_at IS NOT NULL) THEN 1
        ELSE 0
      END AS is_done
    FROM tasks t
    LEFT JOIN (SELECT DISTINCT part.parent_id AS id FROM tasks part WHERE part.deleted_at IS NULL) whole ON whole.id = t.id
    WHERE t.deleted_at IS NULL
  ) c
  CROSS JOIN clock k
  GROUP BY c.project_id
) s ON s.project_id = p.id
WHERE p.deleted_at IS NULL
  AND p.status <> 'archived'
