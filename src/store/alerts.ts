/** Alerts and digests on their way: noted once under a key by whoever finds them due, sent once by whichever worker takes them. */
import { TransientError } from "../failure.ts";
import type { TaskId } from "../task.ts";
import type { Row, Sql } from "./database.ts";

export type AlertKind = "repository" | "installation" | "digest";

export type AlertNote = {
  readonly key: string;
  readonly kind: AlertKind;
  /** Plain data, as it is to be sent. */
  readonly message: unknown;
  /** Whose charge made it due; null for a digest. */
  readonly taskId: TaskId | null;
  /** Epoch milliseconds. */
  readonly at: number;
};

export type Noted = {
  /** The task that was the first to note it. */
  readonly taskId: TaskId | null;
  readonly isSent: boolean;
};

export type Sending =
  | { readonly kind: "sent" }
  /** Another worker is at it, or it needs no sending any more. */
  | { readonly kind: "taken" }
  | { readonly kind: "failed"; readonly cause: TransientError; readonly isLast: boolean };

/** After 1, 2, 4 ... minutes: the last of them comes two hours after the first. */
const TRIES_MAX = 8;
const RETRY_MS = 60_000;
/** Yesterday's alert is no news, and a receiver that was away for days shall not be flooded. */
const FRESH_MS = 24 * 60 * 60_000;
/** In one look; the rest waits for the next. */
const DUE_MAX = 50;

/** Keeps what was noted first under the key, and tells how that stands. Null when another transaction notes it at this moment. */
export async function noteAlert(sql: Sql, { key, kind, message, taskId, at }: AlertNote): Promise<Noted | null> {
  const [row] = await sql.query<{ task_id: TaskId | null; is_sent: boolean }>(
    `WITH noted AS (
       INSERT INTO pullwright.alerts (key, kind, message, task_id, at, due_at)
       VALUES ($1, $2, $3, $4, to_timestamp($5::float8 / 1000), to_timestamp($5::float8 / 1000))
       ON CONFLICT (key) DO NOTHING RETURNING task_id, false AS is_sent
     )
     SELECT * FROM noted UNION ALL
     SELECT task_id, sent_at IS NOT NULL AS is_sent FROM pullwright.alerts WHERE key = $1`,
    [key, kind, JSON.stringify(message), taskId, at],
  );
  return row ? { taskId: row.task_id, isSent: row.is_sent } : null;
}

export async function isNoted(sql: Sql, key: string): Promise<boolean> {
  return (await sql.query("SELECT 1 FROM pullwright.alerts WHERE key = $1", [key])).length > 0;
}

/** Keys of these kinds that wait at `now`, the oldest first. */
export async function listDue(sql: Sql, kinds: readonly AlertKind[], now: number): Promise<readonly string[]> {
  const rows = await sql.query<{ key: string }>(
    `SELECT key FROM pullwright.alerts
     WHERE sent_at IS NULL AND kind = ANY($1) AND tries < ${TRIES_MAX} AND due_at <= to_timestamp($2::float8 / 1000)
       AND at > to_timestamp($3::float8 / 1000)
     ORDER BY at, key LIMIT ${DUE_MAX}`,
    [kinds, now, now - FRESH_MS],
  );
  return rows.map(({ key }) => key);
}

type Transactions = { transaction<T>(fn: (tx: Sql) => Promise<T>): Promise<T> };

/**
 * `send` is called while no other worker can take the same message; its TransientError puts the message off. A process that dies
 * after the receiver took it and before the commit leaves it to be sent again: nothing better is to be had of a plain POST.
 */
export function sendOnce(
  database: Transactions,
  { key, now }: { readonly key: string; readonly now: number },
  send: (message: unknown) => Promise<void>,
): Promise<Sending> {
  return database.transaction(async (tx) => {
    const [row] = await tx.query<AlertRow>(
      `SELECT message, tries FROM pullwright.alerts
       WHERE key = $1 AND sent_at IS NULL AND tries < ${TRIES_MAX} AND due_at <= to_timestamp($2::float8 / 1000)
       FOR UPDATE SKIP LOCKED`,
      [key, now],
    );
    if (!row) return { kind: "taken" };
    try {
      await send(row.message);
    } catch (error) {
      if (!(error instanceof TransientError)) throw error;
      await putOff(tx, key, now + RETRY_MS * 2 ** row.tries);
      return { kind: "failed", cause: error, isLast: row.tries + 1 === TRIES_MAX };
    }
    await markSent(tx, key, now);
    return { kind: "sent" };
  });
}

type AlertRow = Row & { readonly message: unknown; readonly tries: number };

async function putOff(sql: Sql, key: string, until: number): Promise<void> {
  await sql.query(
    "UPDATE pullwright.alerts SET tries = tries + 1, due_at = to_timestamp($2::float8 / 1000) WHERE key = $1",
    [key, until],
  );
}

export async function markSent(sql: Sql, key: string, at: number): Promise<void> {
  await sql.query("UPDATE pullwright.alerts SET sent_at = to_timestamp($2::float8 / 1000) WHERE key = $1", [key, at]);
}
