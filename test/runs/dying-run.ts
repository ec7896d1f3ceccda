/** One attempt at a task in this process, which dies at a step of our choosing: from then on nothing of it reaches the database or the forge. */
import { openLog, openRunParts } from "../../src/main.ts";
import type { JournalEntry, TreeJournal } from "../../src/journal.ts";
import { openRecords } from "../../src/run/records.ts";
import { runTask, type TaskEnd } from "../../src/run/run-task.ts";
import { finishTask, markRunning, readTask } from "../../src/store/tasks.ts";
import type { TaskId } from "../../src/task.ts";
import type { World } from "../world.ts";

/** The worker dies before or after the entry is committed for which `isIt` says so; it is asked once of each. */
export type Fault = { readonly when: "before" | "after"; readonly isIt: (entry: JournalEntry) => boolean };

export const NO_FAULT: Fault = { when: "after", isIt: () => false };

export class Died extends Error {
  override readonly name = "Died";
}

export type Attempted = { readonly end: TaskEnd | "died"; readonly entries: readonly JournalEntry[] };

export async function attemptTask(world: World, taskId: TaskId, fault: Fault): Promise<Attempted> {
  const { database } = world.store;
  const parts = await openRunParts(world.settings, database, openLog(world.settings));
  const attempt = await markRunning(database, taskId);
  const task = await readTask(database, taskId);
  if (attempt === null || task === null) throw new Error("the task has ended");
  const { now, secrets, dayLimits, resultsDir } = parts;
  const records = openRecords(database, task, { attempt, now, secrets, dayLimits, resultsDir });
  const died = new AbortController();
  const entries: JournalEntry[] = [];
  const journal = mortal(records.journal, { fault, died, entries });
  const assertCurrent = async () => {
    died.signal.throwIfAborted();
    await records.assertCurrent();
  };
  try {
    const run = { task, attempt, records: { ...records, journal, assertCurrent } };
    const end = await runTask(parts, run, died.signal);
    await finishTask(database, { taskId, attempt, state: end });
    return { end, entries };
  } catch (error) {
    if (!died.signal.aborted) throw error;
    return { end: "died", entries };
  }
}

type Life = { readonly fault: Fault; readonly died: AbortController; readonly entries: JournalEntry[] };

function mortal(journal: TreeJournal, { fault, died, entries }: Life): TreeJournal {
  const live = async (many: readonly JournalEntry[], write: () => Promise<void>) => {
    died.signal.throwIfAborted();
    const isFatal = many.filter(fault.isIt).length > 0;
    const die = (when: Fault["when"]) => {
      if (isFatal && fault.when === when) died.abort(new Died(`${when} ${many.map(({ kind }) => kind).join()}`));
      died.signal.throwIfAborted();
    };
    die("before");
    await write();
    entries.push(...many);
    die("after");
  };
  return {
    read: () => journal.read(),
    append: (entry) => live([entry], () => journal.append(entry)),
    appendTogether: (many, pack) => live(many, () => journal.appendTogether(many, pack)),
  };
}
