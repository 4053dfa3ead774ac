-- Planner runs, one row per run: the text that was read, the result, and the duration.
SELECT
  a.run_id,
  a.at,
  a.agent,
  a.model,
  a.actor,
  a.source,
  a.project_id,
  a.patch_set_id,
  a.seq,
  a.duration_ms,
  a.phases,
  a.tasks,
  a.subtasks,
  a.links,
  a.requirements,
  a.problems,
  a.skipped,
  a.skipped_parts
FROM (
  SELECT agent_logs.*, ROW_NUMBER() OVER (PARTITION BY run_id ORDER BY agent_logs.at) AS place
  FROM agent_logs
) a
WHERE a.place = 1
