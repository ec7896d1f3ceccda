/** What people said to a live task, waiting for its run to take it. */
import type { Actor, CommentRef } from "../repo-event.ts";
import type { TaskId } from "../task.ts";
import type { Row, Sql } from "./database.ts";

export type TaskNote = {
  readonly kind: "steer" | "stop";
  readonly author: Actor;
  readonly comment: CommentRef;
  readonly body: string;
};

/** For the newest task of the thread that has not ended; null, and nothing is kept, when there is none. */
export async function leaveNote(
  tx: Sql,
  at: { readonly repoId: number; readonly thread: number },
  { kind, author, comment, body }: TaskNote,
): Promise<TaskId | null> {
  const [row] = await tx.query<{ task_id: TaskId }>(
    `INSERT INTO pullwright.notes (task_id, kind, author, comment, body)
     SELECT id, $3, $4, $5, $6 FROM pullwright.tasks
     WHERE repo_id = $1 AND thread_number = $2 AND state IN ('queued', 'running')
     ORDER BY state = 'running' DESC, created_at DESC LIMIT 1 RETURNING task_id`,
    // PostgreSQL's text holds no NUL.
    [at.repoId, at.thread, kind, JSON.stringify(author), JSON.stringify(comment), body.replaceAll("\0", "")],
  );
  return row?.task_id ?? null;
}

/** Those that no attempt has taken, in order. From now on they are `attempt`'s. */
export async function takeNotes(
  sql: Sql,
  { taskId, attempt }: { readonly taskId: TaskId; readonly attempt: number },
): Promise<readonly TaskNote[]> {
  const rows = await sql.query<NoteRow>(
    `WITH taken AS (
       UPDATE pullwright.notes SET taken_by = $2 WHERE task_id = $1 AND taken_by IS NULL RETURNING id, kind, author, comment, body
     )
     SELECT kind, author, comment, body FROM taken ORDER BY id`,
    [taskId, attempt],
  );
  return rows;
}

type NoteRow = Row & TaskNote;
