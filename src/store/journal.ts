/** The journal in PostgreSQL: append-only, without gaps within a run, and announced to whoever reads along. */
import { setTimeout as delay } from "node:timers/promises";
import { TransientError } from "../failure.ts";
import type { JournalEntry, RecordedEntry, TreeJournal, TreePack } from "../journal.ts";
import type { TaskId } from "../task.ts";
import type { Row, Sql } from "./database.ts";
import { type Attempt, superseded } from "./tasks.ts";

/** NOTIFY channel; the payload is the task's id. It is heard only once the entry is committed. */
export const JOURNAL_CHANNEL = "pullwright_journal";

/**
 * What is to be written has been paid for or done, so a database that restarts is waited for. Longer than that, and another worker has
 * the task.
 */
const AWAY_MS_MAX = 30_000;
const ASK_AGAIN_MS = 250;
/** Another journal of the same attempt took the number; there are two at most, and one is about to end. */
const NUMBERS_MAX = 5;

/** One attempt's stream. Appends of one journal queue up behind each other; those of a superseded attempt throw. */
export function postgresJournal(sql: Sql, run: Attempt & { readonly now: () => number }): TreeJournal {
  let last: Promise<number | null> = Promise.resolve(null);
  const add = async (entries: readonly JournalEntry[], pack: TreePack | null): Promise<void> => {
    const at = run.now();
    const append = last.then((seq) => addDurably(sql, { ...run, at }, { entries, pack, after: seq }));
    last = append.catch(() => null); // The caller has the error; the next entry is tried all the same.
    await append;
  };
  return {
    append: (entry) => add([entry], null),
    appendTogether: (entries, pack) => add(entries, pack),
    async read() {
      await last;
      return readRun(sql, run);
    },
  };
}

type Stamp = Attempt & { readonly at: number };

/** `after` is the number of the last entry, null when it has to be looked up. */
type Addition = {
  readonly entries: readonly JournalEntry[];
  readonly pack: TreePack | null;
  readonly after: number | null;
};

/** Resolves to the number of the last entry. An append whose fate is unknown is made again under its number, so that it is made once. */
async function addDurably(sql: Sql, run: Stamp, { entries, pack, after }: Addition): Promise<number> {
  const giveUpAt = performance.now() + AWAY_MS_MAX;
  let from = after ?? (await sure(giveUpAt, () => lastNumber(sql, run)));
  let isUnsure = false;
  for (let numbers = 1; ;) {
    try {
      const isCurrent = await add(sql, run, { entries, pack, from: from + 1 });
      if (!isCurrent) throw superseded(run);
      return from + entries.length;
    } catch (error) {
      if (isTaken(error)) {
        if (isUnsure) return from + entries.length;
        if (numbers++ === NUMBERS_MAX) throw error;
        from = await sure(giveUpAt, () => lastNumber(sql, run));
      } else {
        if (!isAway(error) || performance.now() > giveUpAt) throw error;
        isUnsure = true;
        await delay(ASK_AGAIN_MS);
      }
    }
  }
}

/** False, and nothing is written, when the attempt is not the current one. */
async function add(
  sql: Sql,
  { taskId, attempt, at }: Stamp,
  { entries, pack, from }: Pick<Addition, "entries" | "pack"> & { readonly from: number },
): Promise<boolean> {
  const kept = `, kept AS (
    INSERT INTO pullwright.checkpoints (task_id, attempt, seq, tree, is_base, pack)
    SELECT $1, $2, max(seq), $7, $8, $9 FROM added HAVING count(*) > 0
  ), dropped AS (
    DELETE FROM pullwright.checkpoints WHERE task_id = $1 AND $8 AND EXISTS (SELECT FROM added)
  )`;
  const rows = await sql.query(
    `WITH added AS (
       INSERT INTO pullwright.journal (task_id, attempt, seq, at, kind, entry)
       SELECT tasks.id, tasks.attempt, $3 + one.place - 1, to_timestamp($4::float8 / 1000), one.kind, one.entry::json
       FROM pullwright.tasks, unnest($5::text[], $6::text[]) WITH ORDINALITY AS one (kind, entry, place)
       WHERE id = $1 AND attempt = $2 RETURNING seq
     )${pack === null ? "" : kept}
     SELECT pg_notify('${JOURNAL_CHANNEL}', $1::text) FROM added LIMIT 1`,
    [
      ...[taskId, attempt, from, at],
      ...[entries.map(({ kind }) => kind), entries.map((entry) => JSON.stringify(entry))],
      ...(pack === null ? [] : [pack.tree, pack.isBase, pack.pack]),
    ],
  );
  return rows.length > 0;
}

async function lastNumber(sql: Sql, { taskId, attempt }: Attempt): Promise<number> {
  const [row] = await sql.query<{ seq: number }>(
    "SELECT coalesce(max(seq), 0) AS seq FROM pullwright.journal WHERE task_id = $1 AND attempt = $2",
    [taskId, attempt],
  );
  return row?.seq ?? 0;
}

/** Asks until the database answers. */
async function sure<T>(giveUpAt: number, ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!isAway(error) || performance.now() > giveUpAt) throw error;
      await delay(ASK_AGAIN_MS);
    }
  }
}

/** Not that another attempt has taken over, which has no cause. */
function isAway(error: unknown): boolean {
  return error instanceof TransientError && error.cause !== undefined;
}

/** unique_violation: https://www.postgresql.org/docs/18/errcodes-appendix.html */
function isTaken(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "23505";
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

export type AttemptEntry = RecordedEntry & { readonly attempt: number };

/** All attempts of a task, one after the other: what a resumed run goes on from. */
export async function readTaskJournal(sql: Sql, taskId: TaskId): Promise<readonly AttemptEntry[]> {
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
