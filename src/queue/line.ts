/**
 * The waiting line, in SQL: whose turn is next. pg-boss hands out the oldest job of the highest priority, so whoever asks for much
 * would be served before whoever asks for little; here parties take turns, and the tasks of one key go in the order they came.
 * pg-boss's documentation allows SQL on its tables; a test holds that a claim leaves a job as pg-boss's own fetch does.
 */
import type { Tx } from "./job.ts";

export type Place = {
  readonly id: string;
  /** Parties (installations) that wait get turns one after the other, however much each asks for. */
  readonly party: number;
  /** Tasks with the same key (thread) run one after the other. */
  readonly key: string;
  /** Higher goes first, among all parties; see BLIND_EVERY. */
  readonly rank: number;
};

/** A task that is ours until we end it, give it back, or another worker has it. `retryCount` tells our claim from later ones. */
export type Claim = { readonly id: string; readonly retryCount: number; readonly data: unknown };

/** Every so many turns, ranks do not count: people who ask all day do not keep automatic work waiting for ever. */
const BLIND_EVERY = 4;

/** One process chooses at a time, so that two never choose the same thread or the same party. Any fixed number does. */
const CHOOSING = 7_203_412;

/** In the transaction that makes the job. */
export async function takePlace(tx: Tx, { id, party, key, rank }: Place): Promise<void> {
  await tx.query("INSERT INTO pullwright.places (task_id, party, key, rank) VALUES ($1, $2, $3, $4)", [
    ...[id, party, key, rank],
  ]);
}

/** Those that wait for their next try do so no longer: what they wait for does not matter any more. */
export async function hasten(tx: Tx, ids: readonly string[]): Promise<void> {
  await tx.query(
    "UPDATE pgboss.job SET start_after = now() WHERE name = 'tasks' AND id = ANY($1::uuid[]) AND state < 'active'",
    [ids],
  );
}

/** In the transaction that ends the jobs. */
export async function leavePlaces(tx: Tx, ids: readonly string[]): Promise<void> {
  await tx.query("DELETE FROM pullwright.places WHERE task_id = ANY($1::uuid[])", [ids]);
}

/** Whether it is worth choosing: cheap, and without a lock, because every idle worker asks all the time. */
export async function isSomethingDue(sql: Tx): Promise<boolean> {
  const rows = await sql.query(
    "SELECT FROM pgboss.job WHERE name = 'tasks' AND state < 'active' AND NOT blocked AND start_after <= now() LIMIT 1",
  );
  return rows.length > 0;
}

/** Null when nothing may run now. "busy" when another process is choosing: ask again at once. */
export async function claimNext(tx: Tx): Promise<Claim | null | "busy"> {
  const [lock] = await tx.query("SELECT pg_try_advisory_xact_lock($1) AS is_ours", [CHOOSING]);
  if (lock?.["is_ours"] !== true) return "busy";
  const [row] = await tx.query(CLAIM); // A statement of its own: it must see what the last chooser committed.
  if (!row) return null;
  return { id: String(row["id"]), retryCount: Number(row["retry_count"]), data: row["data"] };
}

/**
 * Jobs that a worker of an older version made, or pg-boss ended by itself (after RETRY_LIMIT, or when it was too old). Their party
 * is not known, so they share one.
 */
export async function mendPlaces(tx: Tx): Promise<void> {
  await tx.query(
    `DELETE FROM pullwright.places p WHERE NOT EXISTS (
       SELECT FROM pgboss.job j WHERE j.name = 'tasks' AND j.id = p.task_id AND j.state < 'completed')`,
  );
  await tx.query(
    `INSERT INTO pullwright.places (task_id, party, key, rank)
     SELECT j.id, 0, coalesce(j.singleton_key, j.id::text), 0 FROM pgboss.job j
     WHERE j.name = 'tasks' AND j.state < 'completed' AND NOT EXISTS (
       SELECT FROM pullwright.places p WHERE p.task_id = j.id)
     ORDER BY j.created_on ON CONFLICT DO NOTHING`,
  );
}

/**
 * Of each party and rank the first task that may run: due, nothing of its key at work, nothing of its key before it. Of these the one
 * with the highest rank, of the party that runs least, then of the one whose last turn is longest ago. Steps from party to party
 * through the index, so its cost grows with parties that wait and not with tasks. The claim itself is what pg-boss's fetch does.
 */
const CLAIM = `
  WITH RECURSIVE turn AS (SELECT nextval('pullwright.turn') AS turn),
  waiting AS (
    (SELECT party, rank FROM pullwright.places ORDER BY party, rank LIMIT 1)
    UNION ALL
    SELECT next.party, next.rank FROM waiting w CROSS JOIN LATERAL (
      SELECT party, rank FROM pullwright.places p WHERE (p.party, p.rank) > (w.party, w.rank)
      ORDER BY p.party, p.rank LIMIT 1) next
  ),
  busy AS (
    SELECT p.party, count(*) AS runs FROM pgboss.job a JOIN pullwright.places p ON p.task_id = a.id
    WHERE a.name = 'tasks' AND a.state = 'active' GROUP BY p.party
  ),
  chosen AS (
    SELECT head.task_id, w.party FROM waiting w
    CROSS JOIN LATERAL (
      SELECT p.task_id, p.place FROM pullwright.places p JOIN pgboss.job j ON j.name = 'tasks' AND j.id = p.task_id
      WHERE p.party = w.party AND p.rank = w.rank
        AND j.state < 'active' AND NOT j.blocked AND j.start_after <= now()
        AND NOT EXISTS (
          SELECT FROM pullwright.places e JOIN pgboss.job k ON k.name = 'tasks' AND k.id = e.task_id
          WHERE e.key = p.key AND e.task_id <> p.task_id AND (k.state = 'active'
            OR k.state < 'active' AND (e.rank > p.rank OR e.rank = p.rank AND e.place < p.place)))
      ORDER BY p.place LIMIT 1
    ) head
    LEFT JOIN busy b ON b.party = w.party
    LEFT JOIN pullwright.turns t ON t.party = w.party
    CROSS JOIN turn
    ORDER BY CASE WHEN turn.turn % ${BLIND_EVERY} = 0 THEN 0 ELSE w.rank END DESC,
      coalesce(b.runs, 0), coalesce(t.turn, 0), head.place
    LIMIT 1
  ),
  noted AS (
    INSERT INTO pullwright.turns (party, turn) SELECT chosen.party, turn.turn FROM chosen, turn
    ON CONFLICT (party) DO UPDATE SET turn = excluded.turn
  )
  UPDATE pgboss.job j SET state = 'active', started_on = now(), heartbeat_on = now(),
    retry_count = CASE WHEN started_on IS NOT NULL THEN retry_count + 1 ELSE retry_count END
  FROM chosen WHERE j.name = 'tasks' AND j.id = chosen.task_id AND j.state < 'active'
  RETURNING j.id, j.retry_count, j.data`;
