/** Automatic reviews of a pull request whose head has moved on. What people asked for is never superseded. */
import type { TaskId } from "../task.ts";
import type { Sql } from "./database.ts";

export type NewHead = {
  /** The review of the new head. */
  readonly taskId: TaskId;
  readonly repoId: number;
  readonly thread: number;
  readonly headSha: string;
  /** ISO 8601, to the second. */
  readonly headAt: string;
};

/**
 * Ends those that wait, and marks those that have begun, whose runs find out from `readSuperseding`. Of two heads of the same second
 * nobody knows which is newer, so those that wait stay: a review asks the forge for the head when it begins.
 */
export async function supersedeReviews(
  tx: Sql,
  { taskId, repoId, thread, headSha, headAt }: NewHead,
): Promise<{ readonly ended: readonly TaskId[]; readonly marked: readonly TaskId[] }> {
  await tx.query("UPDATE pullwright.tasks SET head_at = $2 WHERE id = $1", [taskId, headAt]);
  const rows = await tx.query<{ id: TaskId; state: string }>(
    `WITH older AS (
       SELECT id, state = 'queued' AS waits FROM pullwright.tasks
       WHERE repo_id = $2 AND thread_number = $3 AND id <> $1 AND goal = 'review'
         AND request -> 'origin' ->> 'kind' = 'automatic'
         AND (state = 'running' AND coalesce(head_at, '-infinity') <= $4 OR state = 'queued' AND coalesce(head_at, '-infinity') < $4)
       FOR UPDATE
     )
     UPDATE pullwright.tasks t SET superseded_by = $5,
       state = CASE WHEN waits THEN 'superseded' ELSE t.state END,
       finished_at = CASE WHEN waits THEN now() ELSE t.finished_at END
     FROM older WHERE t.id = older.id RETURNING t.id, t.state`,
    [taskId, repoId, thread, headAt, headSha],
  );
  const idsOf = (has: (state: string) => boolean) => rows.filter(({ state }) => has(state)).map(({ id }) => id);
  return { ended: idsOf((state) => state === "superseded"), marked: idsOf((state) => state === "running") };
}

/** The commit that came after this review's, or null. */
export async function readSuperseding(sql: Sql, taskId: TaskId): Promise<string | null> {
  const [row] = await sql.query<{ superseded_by: string | null }>(
    "SELECT superseded_by FROM pullwright.tasks WHERE id = $1",
    [taskId],
  );
  return row?.superseded_by ?? null;
}
