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
  /** Within a party, its parts (repositories) take turns the same way. */
  readonly part: number;
  /** Tasks with the same key (thread) run one after the other. */
  readonly key: string;
  /** Higher goes first, among all parties; but every fourth turn ranks do not count. */
  readonly rank: number;
};

/** A task that is ours until we end it, give it back, or another worker has it. `retryCount` tells our claim from later ones. */
export type Claim = { readonly id: string; readonly retryCount: number; readonly data: unknown };

/** In the transaction that makes the job. */
export async function takePlace(tx: Tx, { id, party, part, key, rank }: Place): Promise<void> {
  await tx.query("INSERT INTO pullwright.places (task_id, party, part, key, rank) VALUES ($1, $2, $3, $4, $5)", [
    ...[id, party, part, key, rank],
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

/** The next tasks, at most `max`; [] when nothing may run now. How they are chosen stands beside the function (0065-claim.sql, 0067-parts.sql). */
export async function claimNext(tx: Tx, max: number): Promise<readonly Claim[]> {
  const rows = await tx.query("SELECT task_id, retries, ticket FROM pullwright.claim_parts($1)", [max]);
  return rows.map((row) => ({ id: String(row["task_id"]), retryCount: Number(row["retries"]), data: row["ticket"] }));
}

/** Nothing happens when the claim is not ours any more. */
export async function rewriteTicket(tx: Tx, { id, retryCount }: Claim, ticket: object): Promise<void> {
  await tx.query(
    "UPDATE pgboss.job SET data = $3 WHERE name = 'tasks' AND id = $1 AND state = 'active' AND retry_count = $2",
    [id, retryCount, JSON.stringify(ticket)],
  );
}

/** Of these tasks those that no job will run. */
export async function findLacking(tx: Tx, ids: readonly string[]): Promise<readonly string[]> {
  const rows = await tx.query(
    `SELECT id FROM unnest($1::uuid[]) AS id WHERE NOT EXISTS (
       SELECT FROM pgboss.job j WHERE j.name = 'tasks' AND j.id = id.id AND j.state < 'completed')`,
    [ids],
  );
  return rows.map(({ id }) => String(id));
}

/** Of a task that has not ended: its job has, in pg-boss's eyes. */
export async function forgetEndedJob(tx: Tx, id: string): Promise<void> {
  await tx.query("DELETE FROM pgboss.job WHERE name = 'tasks' AND id = $1 AND state >= 'completed'", [id]);
  await leavePlaces(tx, [id]);
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
