-- The choice of the next tasks, as a function: each connection plans it once, and no server must be asked to keep a prepared statement,
-- which some poolers do not pass. A later version makes another one under another name, for the sake of workers that call this one.
--
-- Looks without a lock first, for every idle worker asks all the time. Then one process chooses at a time, so that two never choose the
-- same key or the same party. A claim that a crash of the database loses was followed by nothing that is durable, so its commit need
-- not wait for the disk.
--
-- Steps through the index from party to party, so its cost grows with the parties that wait and not with their tasks. The highest rank
-- goes first, but in every fourth turn ranks do not count: people who ask all day do not keep automatic work waiting for ever. Then the
-- party that runs least, of these the one whose last turn is longest ago; its first task that is due, with nothing of its key at work
-- and nothing of its key before it, is the next. OFFSET 0 keeps the planner to looking jobs up by their id, which it leaves while it has
-- no statistics. The claim itself is what pg-boss's own fetch does.
CREATE FUNCTION pullwright.claim_tasks(most integer) RETURNS TABLE (task_id uuid, retries integer, ticket jsonb)
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
      SELECT p.party, count(*) AS runs
      FROM (SELECT id FROM pgboss.job WHERE name = 'tasks' AND state = 'active' AND policy = 'singleton' OFFSET 0) a
      JOIN pullwright.places p ON p.task_id = a.id GROUP BY p.party
    ),
    line AS (
      SELECT w.party, w.rank, turn.turn, CASE WHEN turn.turn % 4 = 0 THEN 0 ELSE w.rank END AS seen_rank,
        coalesce(b.runs, 0) AS runs, coalesce(t.turn, 0) AS last_turn, w.place
      FROM turn CROSS JOIN waiting w LEFT JOIN busy b ON b.party = w.party LEFT JOIN pullwright.turns t ON t.party = w.party
      ORDER BY seen_rank DESC, runs, last_turn, w.place
    ),
    chosen AS (
      SELECT head.id, l.party, l.turn FROM line l
      CROSS JOIN LATERAL (
        SELECT p.task_id AS id FROM pullwright.places p
        CROSS JOIN LATERAL (SELECT state, blocked, start_after FROM pgboss.job WHERE name = 'tasks' AND id = p.task_id OFFSET 0) j
        WHERE p.party = l.party AND p.rank = l.rank AND j.state < 'active' AND NOT j.blocked AND j.start_after <= now()
          AND NOT EXISTS (
            SELECT FROM pullwright.places e
            CROSS JOIN LATERAL (SELECT state FROM pgboss.job WHERE name = 'tasks' AND id = e.task_id OFFSET 0) k
            WHERE e.key = p.key AND e.task_id <> p.task_id AND (k.state = 'active'
              OR k.state < 'active' AND (e.rank > p.rank OR e.rank = p.rank AND e.place < p.place)))
        ORDER BY p.place LIMIT 1
      ) head
      ORDER BY l.seen_rank DESC, l.runs, l.last_turn, l.place
      LIMIT 1
    ),
    noted AS (
      INSERT INTO pullwright.turns (party, turn) SELECT chosen.party, chosen.turn FROM chosen
      ON CONFLICT (party) DO UPDATE SET turn = excluded.turn
    )
    UPDATE pgboss.job j SET state = 'active', started_on = now(), heartbeat_on = now(),
      retry_count = CASE WHEN started_on IS NOT NULL THEN retry_count + 1 ELSE retry_count END
    FROM chosen WHERE j.name = 'tasks' AND j.id = chosen.id AND j.state < 'active'
    RETURNING j.id, j.retry_count, j.data INTO task_id, retries, ticket;
    EXIT WHEN task_id IS NULL;
    RETURN NEXT;
  END LOOP;
END $$;
