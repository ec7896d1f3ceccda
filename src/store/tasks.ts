/** Tasks and their attempts. The attempt number is the fencing token: whoever holds an older one may change nothing. */
import { TransientError } from "../failure.ts";
import type { Goal, Task, TaskId, TaskRequest, TaskState } from "../task.ts";
import type { Row, Sql } from "./database.ts";

export type StoredTask = Task & {
  /** 0 until the first run. */
  readonly attempt: number;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
};

export type Run = {
  /** For people: the beginning of the task's id and the attempt. */
  readonly id: string;
  readonly taskId: TaskId;
  readonly attempt: number;
  /** "superseded" also when a later attempt began while this one had not ended. */
  readonly state: "running" | EndState;
  readonly startedAt: string;
  readonly finishedAt: string | null;
};

export type EndState = "succeeded" | "failed" | "ignored" | "superseded";

/** Null when a task with the request's key is there already: the same request twice is one task. */
export async function insertTask(tx: Sql, request: TaskRequest, id: TaskId): Promise<TaskId | null> {
  const { key, goal, repo, thread } = request;
  const rows = await tx.query(
    `INSERT INTO pullwright.tasks (id, key, goal, request, installation_id, repo_id, thread_number)
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (key) DO NOTHING RETURNING id`,
    [id, key, goal, JSON.stringify(request), repo.installationId, repo.id, thread.number],
  );
  return rows.length === 0 ? null : id;
}

export async function readTask(sql: Sql, id: TaskId): Promise<StoredTask | null> {
  const [row] = await sql.query<TaskRow>(`SELECT ${TASK_COLUMNS} FROM pullwright.tasks WHERE id = $1`, [id]);
  return row ? toTask(row) : null;
}

/** Newest first. */
export async function listTasks(
  sql: Sql,
  filter: { readonly limit: number; readonly state?: TaskState | null },
): Promise<readonly StoredTask[]> {
  const rows = await sql.query<TaskRow>(
    `SELECT ${TASK_COLUMNS} FROM pullwright.tasks WHERE $2::text IS NULL OR state = $2 ORDER BY created_at DESC, id LIMIT $1`,
    [filter.limit, filter.state ?? null],
  );
  return rows.map(toTask);
}

/** Those that have not ended, by their ids. */
export async function listOpen(
  sql: Sql,
  { after, limit }: { readonly after: TaskId | null; readonly limit: number },
): Promise<readonly StoredTask[]> {
  const rows = await sql.query<TaskRow>(
    `SELECT ${TASK_COLUMNS} FROM pullwright.tasks
     WHERE state IN ('queued', 'running') AND ($1::uuid IS NULL OR id > $1) ORDER BY id LIMIT $2`,
    [after, limit],
  );
  return rows.map(toTask);
}

/** A new attempt begins, and every older one has lost its right to write. Null when there is no such task or it has ended. */
export async function markRunning(sql: Sql, id: TaskId): Promise<number | null> {
  const [row] = await sql.query<{ attempt: number }>(
    `WITH task AS (
       UPDATE pullwright.tasks SET attempt = attempt + 1, state = 'running', started_at = coalesce(started_at, now())
       WHERE id = $1 AND state IN ('queued', 'running') RETURNING id, attempt
     ), older AS (
       UPDATE pullwright.runs SET state = 'superseded', finished_at = now() WHERE task_id = $1 AND state = 'running'
     )
     INSERT INTO pullwright.runs (id, task_id, attempt)
     SELECT ${RUN_ID}, task.id, task.attempt FROM task RETURNING attempt`,
    [id],
  );
  return row?.attempt ?? null;
}

/** Nobody goes on with it, so its checkpoints go. False, and nothing is changed, when `attempt` is not the current one. */
export async function finishTask(
  sql: Sql,
  { taskId, attempt, state }: Attempt & { readonly state: EndState },
): Promise<boolean> {
  const rows = await sql.query(
    `WITH task AS (
       UPDATE pullwright.tasks SET state = $3, finished_at = now()
       WHERE id = $1 AND attempt = $2 AND state IN ('queued', 'running') RETURNING id
     ), run AS (
       UPDATE pullwright.runs SET state = $3, finished_at = now()
       WHERE task_id = $1 AND attempt = $2 AND EXISTS (SELECT FROM task)
     ), packs AS (
       DELETE FROM pullwright.checkpoints WHERE task_id = $1 AND EXISTS (SELECT FROM task)
     )
     SELECT id FROM task`,
    [taskId, attempt, state],
  );
  return rows.length === 1;
}

/** How far it has come, in replies, observations, an end and things published for the first time: never less than before. */
export async function countSteps(sql: Sql, id: TaskId): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    `SELECT (
       (SELECT count(*) FROM pullwright.journal WHERE task_id = $1 AND kind IN ('model-replied', 'summarised', 'tool-observed'))
       + (SELECT count(DISTINCT kind) FROM pullwright.journal WHERE task_id = $1 AND kind = 'finished')
       + (SELECT count(ref) FROM pullwright.publications WHERE task_id = $1)
     )::int AS count`,
    [id],
  );
  return row?.count ?? 0;
}

export type Attempt = { readonly taskId: TaskId; readonly attempt: number };

/** Ask before each write to the forge: another worker may have taken the task over. */
export async function isCurrent(sql: Sql, { taskId, attempt }: Attempt): Promise<boolean> {
  const rows = await sql.query("SELECT 1 FROM pullwright.tasks WHERE id = $1 AND attempt = $2 AND state = 'running'", [
    taskId,
    attempt,
  ]);
  return rows.length === 1;
}

/** What a write of a superseded attempt ends in. Its queue job belongs to another worker by then, so nothing is retried. */
export function superseded({ taskId, attempt }: Attempt): TransientError {
  return new TransientError(`Attempt ${attempt} of task ${taskId} is over; another one may be running.`);
}

/** Newest first; those of one task when it is given. */
export async function listRuns(
  sql: Sql,
  filter: { readonly limit: number; readonly taskId?: TaskId | null },
): Promise<readonly Run[]> {
  const rows = await sql.query<RunRow>(
    `SELECT ${RUN_COLUMNS} FROM pullwright.runs WHERE $2::uuid IS NULL OR task_id = $2
     ORDER BY started_at DESC, attempt DESC LIMIT $1`,
    [filter.limit, filter.taskId ?? null],
  );
  return rows.map(toRun);
}

/** By its id or an unambiguous beginning of it; a task's beginning gives its newest run. Null when none or several tasks fit. */
export async function findRun(sql: Sql, idOrPrefix: string): Promise<Run | null> {
  const rows = await sql.query<RunRow>(
    `SELECT DISTINCT ON (task_id) ${RUN_COLUMNS} FROM pullwright.runs WHERE starts_with(id, $1)
     ORDER BY task_id, id <> $1, attempt DESC LIMIT 2`,
    [idOrPrefix],
  );
  const [row, other] = rows;
  return row && !other ? toRun(row) : null;
}

/** Twelve hex digits (48 bits) of the task's id: short enough to type; two of a million tasks are alike once in 500 such databases. */
const RUN_ID = "substr(replace(task.id::text, '-', ''), 1, 12) || '-' || task.attempt";

const TASK_COLUMNS = "id, state, attempt, request, created_at, started_at, finished_at";
const RUN_COLUMNS = "id, task_id, attempt, state, started_at, finished_at";

type TaskRow = Row & {
  readonly id: TaskId;
  readonly state: TaskState;
  readonly attempt: number;
  readonly request: TaskRequest & { readonly goal: Goal };
  readonly created_at: Date;
  readonly started_at: Date | null;
  readonly finished_at: Date | null;
};

type RunRow = Row & {
  readonly id: string;
  readonly task_id: TaskId;
  readonly attempt: number;
  readonly state: Run["state"];
  readonly started_at: Date;
  readonly finished_at: Date | null;
};

function toTask({ id, state, attempt, request, ...row }: TaskRow): StoredTask {
  return {
    ...request,
    id,
    state,
    attempt,
    createdAt: row.created_at.toISOString(),
    startedAt: row.started_at?.toISOString() ?? null,
    finishedAt: row.finished_at?.toISOString() ?? null,
  };
}

function toRun({ id, task_id, attempt, state, started_at, finished_at }: RunRow): Run {
  return {
    id,
    taskId: task_id,
    attempt,
    state,
    startedAt: started_at.toISOString(),
    finishedAt: finished_at?.toISOString() ?? null,
  };
}
