-- Within an installation its repositories take turns too: part is the repository. Otherwise as claim_tasks (0065), which older workers
-- still call.
ALTER TABLE pullwright.places ADD COLUMN part bigint NOT NULL DEFAULT 0;
UPDATE pullwright.places p SET part = t.repo_id FROM pullwright.tasks t WHERE t.id = p.task_id;
CREATE INDEX places_part ON pullwright.places (party, rank, part, place);

CREATE TABLE pullwright.part_turns (
  party bigint NOT NULL,
  part bigint NOT NULL,
  turn bigint NOT NULL,
  PRIMARY KEY (party, part)
) WITH (fillfactor = 50);

CREATE FUNCTION pullwright.claim_parts(most integer) RETURNS TABLE (task_id uuid, retries integer, ticket jsonb)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  IF NOT EXISTS (
    SELECT FROM pgboss.job WHERE name = 'tasks' AND state < 'active' AND NOT blocked AND start_after <= now()
  ) THEN RETURN; END IF;
  PERFORM set_config('synchronous_commit', 'off', true), pg_advisory_xact_lock(7203412);
  FOR claims IN 1..most LOOP
    WITH RECURSIVE turn AS (SELECT nextval('pullwright.turn') AS turn),
    waiting AS (
      (SELECT party, rank, place FROM pullwright.places ORDER BY party, rank, place LIMIT 1)
      UNION ALL
      SELECT next.party, next.rank, next.place FROM waiting w CROSS JOIN LATERAL (
        SELECT party, rank, place FROM pullwright.places p WHERE (p.party, p.rank) > (w.party, w.rank)
        ORDER BY p.party, p.rank, p.place LIMIT 1) next
    ),
    busy AS (
      SELECT p.party, p.part, count(*) AS runs
      FROM (SELECT id FROM pgboss.job WHERE name = 'tasks' AND state = 'active' AND policy = 'singleton' OFFSET 0) a
      JOIN pullwright.places p ON p.task_id = a.id GROUP BY p.party, p.part
    ),
    line AS (
      SELECT w.party, w.rank, turn.turn, CASE WHEN turn.turn % 4 = 0 THEN 0 ELSE w.rank END AS seen_rank,
        coalesce(b.runs, 0) AS runs, coalesce(t.turn, 0) AS last_turn, w.place
      FROM turn CROSS JOIN waiting w
      LEFT JOIN (SELECT party, sum(runs) AS runs FROM busy GROUP BY party) b ON b.party = w.party
      LEFT JOIN pullwright.turns t ON t.party = w.party
      ORDER BY seen_rank DESC, runs, last_turn, w.place
    ),
    chosen AS (
      SELECT head.id, head.part, l.party, l.turn FROM line l
      CROSS JOIN LATERAL (
        WITH RECURSIVE parts AS (
          (SELECT part, place FROM pullwright.places WHERE party = l.party AND rank = l.rank ORDER BY part, place LIMIT 1)
          UNION ALL
          SELECT next.part, next.place FROM parts q CROSS JOIN LATERAL (
            SELECT part, place FROM pullwright.places p WHERE p.party = l.party AND p.rank = l.rank AND p.part > q.part
            ORDER BY p.part, p.place LIMIT 1) next
        )
        SELECT first.id, q.part FROM (
          SELECT parts.part, parts.place, coalesce(b.runs, 0) AS runs, coalesce(t.turn, 0) AS last_turn FROM parts
          LEFT JOIN busy b ON b.party = l.party AND b.part = parts.part
          LEFT JOIN pullwright.part_turns t ON t.party = l.party AND t.part = parts.part
          ORDER BY runs, last_turn, parts.place
        ) q
        CROSS JOIN LATERAL (
          SELECT p.task_id AS id FROM pullwright.places p
          CROSS JOIN LATERAL (SELECT state, blocked, start_after FROM pgboss.job WHERE name = 'tasks' AND id = p.task_id OFFSET 0) j
          WHERE p.party = l.party AND p.rank = l.rank AND p.part = q.part
            AND j.state < 'active' AND NOT j.blocked AND j.start_after <= now()
            AND NOT EXISTS (
              SELECT FROM pullwright.places e
              CROSS JOIN LATERAL (SELECT state FROM pgboss.job WHERE name = 'tasks' AND id = e.task_id OFFSET 0) k
              WHERE e.key = p.key AND e.task_id <> p.task_id AND (k.state = 'active'
                OR k.state < 'active' AND (e.rank > p.rank OR e.rank = p.rank AND e.place < p.place)))
          ORDER BY p.place LIMIT 1
        ) first
        ORDER BY q.runs, q.last_turn, q.place
        LIMIT 1
      ) head
      ORDER BY l.seen_rank DESC, l.runs, l.last_turn, l.place
      LIMIT 1
    ),
    noted AS (
      INSERT INTO pullwright.turns (party, turn) SELECT chosen.party, chosen.turn FROM chosen
      ON CONFLICT (party) DO UPDATE SET turn = excluded.turn
    ),
    part_noted AS (
      INSERT INTO pullwright.part_turns (party, part, turn) SELECT chosen.party, chosen.part, chosen.turn FROM chosen
      ON CONFLICT (party, part) DO UPDATE SET turn = excluded.turn
    )
    UPDATE pgboss.job j SET state = 'active', started_on = now(), heartbeat_on = now(),
      retry_count = CASE WHEN started_on IS NOT NULL THEN retry_count + 1 ELSE retry_count END
    FROM chosen WHERE j.name = 'tasks' AND j.id = chosen.id AND j.state < 'active'
    RETURNING j.id, j.retry_count, j.data INTO task_id, retries, ticket;
    EXIT WHEN task_id IS NULL;
    RETURN NEXT;
  END LOOP;
END $$;
