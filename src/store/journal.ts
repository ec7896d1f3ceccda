/** The journal in PostgreSQL: append-only, without gaps within a run, and announced to whoever reads along. */
import type { Journal, JournalEntry, RecordedEntry } from "../journal.ts";
import type { TaskId } from "../task.ts";
import type { Row, Sql } from "./database.ts";
import { type Attempt, superseded } from "./tasks.ts";

/** NOTIFY channel; the payload is the task's id. It is heard only once the entry is committed. */
export const JOURNAL_CHANNEL = "pullwright_journal";

type Stamp = Attempt & { readonly at: number };

/** One attempt's stream. Appends of one journal queue up behind each other; those of a superseded attempt throw. */
export function postgresJournal(sql: Sql, run: Attempt & { readonly now: () => number }): Journal {
  let last: Promise<unknown> = Promise.resolve();
  return {
    append(entry) {
      const append = last.then(() => appendEntry(sql, { ...run, at: run.now() }, entry));
      last = append.catch(() => {}); // The caller has the error; the next entry is tried all the same.
      return append;
    },
    async read() {
      await last;
      return readRun(sql, run);
    },
  };
}

/** For an entry that must commit together with something else (a checkpoint): `tx` is that transaction. */
export async function appendEntry(tx: Sql, { taskId, attempt, at }: Stamp, entry: JournalEntry): Promise<void> {
  const rows = await tx.query(
    `WITH added AS (
       INSERT INTO pullwright.journal (task_id, attempt, seq, at, kind, entry)
       SELECT id, attempt, (SELECT coalesce(max(seq), 0) + 1 FROM pullwright.journal WHERE task_id = $1 AND attempt = $2),
         to_timestamp($3::float8 / 1000), $4, $5
       FROM pullwright.tasks WHERE id = $1 AND attempt = $2 RETURNING seq
     )
     SELECT seq, pg_notify('${JOURNAL_CHANNEL}', $1::text) FROM added`,
    [taskId, attempt, at, entry.kind, JSON.stringify(entry)],
  );
  if (rows.length === 0) throw superseded({ taskId, attempt });
}

/** In order; those after `seq` when it is given, for a page that is brought up to date. */
export async function readRun(
  sql: Sql,
  { taskId, attempt, after = 0 }: Attempt & { readonly after?: number },
): Promise<readonly RecordedEntry[]> {
  const rows = await sql.query<EntryRow>(
    `SELECT attempt, seq, at, entry FROM pullwright.journal WHERE task_id = $1 AND attempt = $2 AND seq > $3 ORDER BY seq`,
    [taskId, attempt, after],
  );
  return rows.map(toRecorded);
}

/** All attempts of a task, one after the other: what a resumed run goes on from. */
export async function readTaskJournal(
  sql: Sql,
  taskId: TaskId,
): Promise<readonly (RecordedEntry & { readonly attempt: number })[]> {
  const rows = await sql.query<EntryRow>(
    `SELECT attempt, seq, at, entry FROM pullwright.journal WHERE task_id = $1 ORDER BY attempt, seq`,
    [taskId],
  );
  return rows.map((row) => ({ ...toRecorded(row), attempt: row.attempt }));
}

type EntryRow = Row & {
  readonly attempt: number;
  readonly seq: number;
  readonly at: Date;
  readonly entry: JournalEntry;
};

function toRecorded({ seq, at, entry }: EntryRow): RecordedEntry {
  return { seq, at: at.getTime(), entry };
}
