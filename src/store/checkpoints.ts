/** The packs of a running task's work tree (store/journal.ts writes them with the entry they belong to). Dropped when the task ends. */
import type { TreePack } from "../journal.ts";
import type { TaskId } from "../task.ts";
import type { Row, Sql } from "./database.ts";

/** From the newest base on, in the order they were made; [] when nothing was kept. */
export async function readPacks(sql: Sql, taskId: TaskId): Promise<readonly TreePack[]> {
  const rows = await sql.query<PackRow>(
    `SELECT tree, is_base, pack FROM pullwright.checkpoints WHERE task_id = $1 ORDER BY attempt, seq`,
    [taskId],
  );
  const base = rows.findLastIndex(({ is_base }) => is_base);
  return base < 0 ? [] : rows.slice(base).map(({ tree, is_base, pack }) => ({ tree, isBase: is_base, pack }));
}

type PackRow = Row & { readonly tree: string; readonly is_base: boolean; readonly pack: Buffer };
