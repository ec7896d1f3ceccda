/**
 * Tasks that stand open and that no job will ever run: pg-boss drops a job that waited for two weeks, and gives one up that was handed out
 * too often. They get another one; a run that finds its task too old tells the asker so.
 */
import type { Queue } from "../queue/queue.ts";
import type { Sql } from "../store/database.ts";
import { listOpen } from "../store/tasks.ts";
import type { TaskId } from "../task.ts";
import { placeOf } from "./take-delivery.ts";

/** Of open tasks, in one look at the queue. */
const PAGE = 500;
/** The rest is for the next time: so many open tasks are more than any installation has. */
const PAGES_MAX = 2_000;

/** To the tasks that got a job. */
export async function rejoinLine(queue: Queue<Sql>, sql: Sql): Promise<readonly TaskId[]> {
  const rejoined: TaskId[] = [];
  let after: TaskId | null = null;
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    const open = await listOpen(sql, { after, limit: PAGE });
    const lacking = await queue.findLacking(open.map(({ id }) => id));
    for (const task of open.filter(({ id }) => lacking.has(id))) {
      if (await queue.rejoin(placeOf(task))) rejoined.push(task.id);
    }
    after = open.at(-1)?.id ?? null;
    if (open.length < PAGE) break;
  }
  return rejoined;
}
