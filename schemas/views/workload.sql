-- Open work by person: number of tasks without subtasks and without milestones, number of those in progress or in review (in_progress), and likely remaining effort in minutes.
SELECT
  w.assignee,
  SUM(w.tasks) AS tasks,
  SUM(w.in_progress) AS in_progress,
  SUM(w.likely_minutes) AS likely_minutes,
  SUM(w.remaining_minutes) AS remaining_minutes,
  SUM(w.without_estimate) AS without_estimate,
  MIN(w.first_due) AS first_due
FROM workload_by_project w
GROUP BY w.assignee
