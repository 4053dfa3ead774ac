-- Audit log of all changes: actor, time, source, operation, record, and reason.
SELECT
  j.seq,
  j.ordinal,
  j.at,
  j.actor,
  j.source,
  j.op,
  j.entity,
  j.entity_id,
  p.key AS project,
  j.reason,
  j.patch_set_id
FROM journal j
LEFT JOIN projects p ON p.id = j.project_id
WHERE j.stream = 'work'
