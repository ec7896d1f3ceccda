/**
 * What we meant to publish and what it became. The intent is written before the act, so that after a crash the next attempt
 * knows to look on the forge before it acts again.
 */
import type { Published } from "../publication.ts";
import type { TaskId } from "../task.ts";
import type { Row, Sql } from "./database.ts";
import { type Attempt, superseded } from "./tasks.ts";

export type Ledgered =
  /** Begun and perhaps done: only the forge knows. `ref` and `url` are of what stood there before, null when nothing did. */
  | (Noted & { readonly state: "intended"; readonly ref: string | null; readonly url: string | null })
  | (Noted & { readonly state: "done"; readonly ref: string; readonly url: string });

type Noted = { readonly role: string; readonly intent: unknown; readonly attempt: number };

/** Gives what was known before this call, null when the role is new. Throws when the attempt is superseded. */
export async function intend(
  sql: Sql,
  { taskId, attempt, role, intent }: Attempt & { readonly role: string; readonly intent: unknown },
): Promise<Ledgered | null> {
  const rows = await sql.query<Partial<PublicationRow> & { readonly known: boolean }>(
    `WITH before AS (SELECT * FROM pullwright.publications WHERE task_id = $1 AND role = $3),
     after AS (
       INSERT INTO pullwright.publications (task_id, role, state, attempt, intent)
       SELECT id, $3, 'intended', attempt, $4 FROM pullwright.tasks WHERE id = $1 AND attempt = $2
       ON CONFLICT (task_id, role) DO UPDATE
         SET state = 'intended', intent = excluded.intent, attempt = excluded.attempt, updated_at = now()
       RETURNING role
     )
     SELECT before.role IS NOT NULL AS known, before.* FROM after LEFT JOIN before ON true`,
    [taskId, attempt, role, JSON.stringify(intent)],
  );
  const [row] = rows;
  if (!row) throw superseded({ taskId, attempt });
  return isPublication(row) ? toLedgered(row) : null;
}

/**
 * It stands on the forge now. Said even by a superseded attempt, because a fact is worth more than the order it came in; but only the
 * attempt whose intent stands, or a later one that found it done, can say that this intent was done, and where.
 */
export async function complete(sql: Sql, it: Attempt & Pick<Published, "role" | "ref" | "url">): Promise<void> {
  const { taskId, attempt, role, ref, url } = it;
  const rows = await sql.query(
    `UPDATE pullwright.publications
     SET state = CASE WHEN attempt <= $5 THEN 'done' ELSE state END,
       ref = CASE WHEN attempt <= $5 OR ref IS NULL THEN $3 ELSE ref END,
       url = CASE WHEN attempt <= $5 OR ref IS NULL THEN $4 ELSE url END,
       updated_at = now()
     WHERE task_id = $1 AND role = $2 RETURNING role`,
    [taskId, role, ref, url, attempt],
  );
  if (rows.length === 0) throw new Error(`publication ${role} of task ${taskId} was never intended`);
}

export async function find(
  sql: Sql,
  key: { readonly taskId: TaskId; readonly role: string },
): Promise<Ledgered | null> {
  const [row] = await sql.query<PublicationRow>(
    "SELECT * FROM pullwright.publications WHERE task_id = $1 AND role = $2",
    [key.taskId, key.role],
  );
  return row ? toLedgered(row) : null;
}

export async function listPublications(sql: Sql, taskId: TaskId): Promise<readonly Ledgered[]> {
  const rows = await sql.query<PublicationRow>(
    "SELECT * FROM pullwright.publications WHERE task_id = $1 ORDER BY role",
    [taskId],
  );
  return rows.map(toLedgered);
}

/** The table's CHECK holds the union together. */
type PublicationRow = Row & { readonly role: string; readonly intent: unknown; readonly attempt: number } & (
    | { readonly state: "intended"; readonly ref: string | null; readonly url: string | null }
    | { readonly state: "done"; readonly ref: string; readonly url: string }
  );

function isPublication(row: Partial<PublicationRow>): row is PublicationRow {
  return typeof row.role === "string";
}

function toLedgered(row: PublicationRow): Ledgered {
  const { role, intent, attempt } = row;
  if (row.state === "intended") return { state: "intended", role, intent, attempt, ref: row.ref, url: row.url };
  return { state: "done", role, intent, attempt, ref: row.ref, url: row.url };
}
