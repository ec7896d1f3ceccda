/** What GitHub delivered and what we decided about it: the answer to "why did nothing happen?". */
import type { TaskId } from "../task.ts";
import type { Row, Sql } from "./database.ts";

export type Delivery = {
  /** X-GitHub-Delivery; GitHub keeps it when it delivers again. */
  readonly guid: string;
  /** For example "issues.labeled". */
  readonly event: string;
  readonly receivedAt: string;
  /** owner/name, or null for an event without a repository. */
  readonly repo: string | null;
  /** The decision's kind. */
  readonly decision: string;
  readonly reason: string;
  readonly taskId: TaskId | null;
};

/** False, and nothing is changed, when the guid is known: this is a redelivery. */
export async function recordDelivery(tx: Sql, delivery: Delivery): Promise<boolean> {
  const { guid, event, receivedAt, repo, decision, reason, taskId } = delivery;
  const rows = await tx.query(
    `INSERT INTO pullwright.deliveries (guid, event, received_at, repo, decision, reason, task_id)
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (guid) DO NOTHING RETURNING guid`,
    [guid, event, receivedAt, repo, decision, reason.replaceAll("\0", ""), taskId],
  );
  return rows.length === 1;
}

/** The delivery asked for what another one had asked for already: it points to that task. */
export async function linkDelivery(
  tx: Sql,
  { guid, key }: { readonly guid: string; readonly key: string },
): Promise<void> {
  await tx.query(
    `UPDATE pullwright.deliveries SET decision = 'duplicate', reason = 'the same request is a task already',
       task_id = (SELECT id FROM pullwright.tasks WHERE key = $2) WHERE guid = $1`,
    [guid, key],
  );
}

/** The delivery spoke to a live task; without one it came to nothing. */
export async function linkNote(
  tx: Sql,
  { guid, taskId }: { readonly guid: string; readonly taskId: TaskId | null },
): Promise<void> {
  await tx.query(
    `UPDATE pullwright.deliveries SET task_id = $2, decision = CASE WHEN $2::uuid IS NULL THEN 'ignore' ELSE decision END,
       reason = CASE WHEN $2::uuid IS NULL THEN 'nothing is at work on this thread' ELSE reason END WHERE guid = $1`,
    [guid, taskId],
  );
}

/** Those of the guids that are recorded. */
export async function knownDeliveries(sql: Sql, guids: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await sql.query<{ guid: string }>("SELECT guid FROM pullwright.deliveries WHERE guid = ANY($1)", [
    guids,
  ]);
  return new Set(rows.map(({ guid }) => guid));
}

/** Newest first. */
export async function listDeliveries(sql: Sql, { limit }: { readonly limit: number }): Promise<readonly Delivery[]> {
  const rows = await sql.query<DeliveryRow>(
    `SELECT guid, event, received_at, repo, decision, reason, task_id FROM pullwright.deliveries
     ORDER BY received_at DESC, guid LIMIT $1`,
    [limit],
  );
  return rows.map(({ received_at, task_id, ...row }) => ({
    ...row,
    receivedAt: received_at.toISOString(),
    taskId: task_id,
  }));
}

type DeliveryRow = Row &
  Omit<Delivery, "receivedAt" | "taskId"> & { readonly received_at: Date; readonly task_id: TaskId | null };
