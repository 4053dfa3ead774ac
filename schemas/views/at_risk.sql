-- Open tasks that need attention, including tasks with subtasks. The reason is the first that applies: overdue, blocked, over_estimate (the logged effort exceeds the high estimate), or due_soon (due within 7 days and not started).
SELECT
  r.project,
  r.task,
  r.title,
  r.status,
  r.assignee,
  r.due_date,
  r.estimate_likely,
  r.estimate_high,
  r.actual_minutes,
  r.reason
FROM (
  SELECT
    o.project,
    o.task,
    o.title,
    o.status,
    o.assignee,
    o.due_date,
    o.estimate_likely,
    o.estimate_high,
    o.actual_minutes,
    CASE
      WHEN o.due_date < c.today THEN 'overdue'
      WHEN o.status = 'blocked' THEN 'blocked'
      WHEN o.actual_minutes > COALESCE(o.estimate_high, o.estimate_likely) THEN 'over_estimate'
      WHEN o.due_date <= c.today + INTERVAL '7' DAY AND o.status IN ('pending', 'assigned', 'on_hold') THEN 'due_soon'
    END AS reason
  FROM open_work o
  CROSS JOIN clock c
) r
WHERE r.reason IS NOT NULL
