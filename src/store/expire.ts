/** Retention: what is older than the settings keep it goes, in small steps, whoever of several workers comes first. */
import type { Keep } from "../keep-settings.ts";
import type { Sql } from "./database.ts";

/** Rows that went. A task takes its runs, journal, publications and notes along. */
export type Expired = Readonly<Record<"tasks" | "results" | "packs" | "deliveries" | "replies" | "alerts", number>>;

/** Of one statement, which must be far from the 30 s that statements get: a task may have thousands of journal entries. */
const ROWS_MAX = 100;
/** Of one look at one table; the next look takes more. */
const STEPS_MAX = 200;

/** Each deletes up to $2 rows older than $1, none that another worker deletes. The ledger is kept: money was spent all the same. */
const OLD = {
  tasks: `DELETE FROM pullwright.tasks WHERE id IN (
    SELECT id FROM pullwright.tasks WHERE finished_at < $1 AND state NOT IN ('queued', 'running')
    ORDER BY finished_at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING 1`,
  results: `DELETE FROM pullwright.results WHERE (task_id, attempt) IN (
    SELECT r.task_id, r.attempt FROM pullwright.results r JOIN pullwright.tasks t ON t.id = r.task_id
    WHERE t.finished_at < $1 LIMIT $2 FOR UPDATE OF r SKIP LOCKED) RETURNING 1`,
  packs: `DELETE FROM pullwright.checkpoints WHERE (task_id, attempt, seq) IN (
    SELECT c.task_id, c.attempt, c.seq FROM pullwright.checkpoints c JOIN pullwright.tasks t ON t.id = c.task_id
    WHERE t.finished_at < $1 LIMIT $2 FOR UPDATE OF c SKIP LOCKED) RETURNING 1`,
  deliveries: `DELETE FROM pullwright.deliveries WHERE guid IN (
    SELECT guid FROM pullwright.deliveries WHERE received_at < $1
    ORDER BY received_at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING 1`,
  replies: `DELETE FROM pullwright.replies WHERE (repo_id, key) IN (
    SELECT repo_id, key FROM pullwright.replies WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING 1`,
  alerts: `DELETE FROM pullwright.alerts WHERE key IN (
    SELECT key FROM pullwright.alerts WHERE at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING 1`,
};

/** `now` is epoch milliseconds. */
export async function expire(sql: Sql, keep: Keep, now: number): Promise<Expired> {
  const step = (text: string, keptMs: number) => removeOld(sql, text, new Date(now - keptMs));
  return {
    results: await step(OLD.results, keep.workMs),
    packs: await step(OLD.packs, keep.workMs),
    tasks: await step(OLD.tasks, keep.taskMs),
    deliveries: await step(OLD.deliveries, keep.taskMs),
    replies: await step(OLD.replies, keep.replyMs),
    alerts: await step(OLD.alerts, keep.taskMs),
  };
}

async function removeOld(sql: Sql, text: string, olderThan: Date): Promise<number> {
  let removed = 0;
  for (let steps = 0; steps < STEPS_MAX; steps++) {
    const rows = await sql.query(text, [olderThan.toISOString(), ROWS_MAX]);
    removed += rows.length;
    if (rows.length < ROWS_MAX) break;
  }
  return removed;
}
