/** What the product wrote down of a play, with the case that each task is. */
import type { JournalEntry } from "../../src/journal.ts";
import type { TaskRequest } from "../../src/task.ts";
import { fullName } from "./people.ts";
import type { Stage } from "./play.ts";

export type TaskRecord = {
  readonly id: string;
  /** The case's; null for a task that nobody asked for. */
  readonly name: string | null;
  readonly goal: string;
  readonly state: string;
  readonly attempt: number;
  readonly request: TaskRequest;
  readonly journal: readonly {
    readonly attempt: number;
    readonly seq: number;
    readonly at: Date;
    readonly entry: JournalEntry;
  }[];
  /** The turns that were charged. */
  readonly ledger: readonly number[];
  readonly runsRunning: number;
  readonly publications: readonly {
    readonly role: string;
    readonly state: string;
    readonly attempt: number;
    readonly ref: string | null;
  }[];
};

export type Records = {
  readonly tasks: readonly TaskRecord[];
  readonly byCase: ReadonlyMap<string, TaskRecord>;
  /** How many of its attempts another one followed: lost with their worker, or ended by something outside. */
  readonly lost: (task: TaskRecord) => number;
};

type TaskRow = {
  readonly id: string;
  readonly goal: string;
  readonly state: string;
  readonly attempt: number;
  readonly request: TaskRequest;
  readonly running: number;
};

export async function readRecords({ database, asked }: Pick<Stage, "database" | "asked">): Promise<Records> {
  const rows = await database.query<TaskRow>(
    `SELECT t.id, t.goal, t.state, t.attempt, t.request,
       (SELECT count(*)::int FROM pullwright.runs r WHERE r.task_id = t.id AND r.state = 'running') AS running
     FROM pullwright.tasks t ORDER BY t.created_at, t.id`,
  );
  const journal = await database.query<{ task_id: string } & TaskRecord["journal"][number]>(
    "SELECT task_id, attempt, seq, at, entry FROM pullwright.journal ORDER BY attempt, seq",
  );
  const charges = await database.query<{ task_id: string; turn: number }>(
    "SELECT task_id, turn FROM pullwright.ledger",
  );
  const published = await database.query<{ task_id: string } & TaskRecord["publications"][number]>(
    "SELECT task_id, role, state, attempt, ref FROM pullwright.publications ORDER BY role",
  );
  const of = <T extends { task_id: string }>(all: readonly T[], id: string) =>
    all.filter(({ task_id }) => task_id === id);
  const tasks = rows.map(({ id, request, running, ...row }): TaskRecord => {
    const name =
      asked.find(
        ({ case: it, thread, commentId }) =>
          fullName(it.repo) === `${request.repo.owner}/${request.repo.name}` &&
          thread === request.thread.number &&
          (request.origin.kind === "command" ? commentId === request.origin.comment.id : commentId === null),
      )?.case.name ?? null;
    return {
      ...{ ...row, id, name, request, runsRunning: running },
      journal: of(journal, id),
      ledger: of(charges, id).map(({ turn }) => turn),
      publications: of(published, id),
    };
  });
  const byCase = new Map(tasks.flatMap((task) => (task.name === null ? [] : [[task.name, task] as const])));
  return { tasks, byCase, lost: ({ attempt }) => Math.max(0, attempt - 1) };
}
