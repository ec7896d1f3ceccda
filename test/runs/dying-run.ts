/** One attempt at a task in this process, which dies at a step of our choosing: from then on nothing of it reaches the database or the forge. */
import type { JournalEntry, TreeJournal } from "../../src/journal.ts";
import { openRecords, type TaskRecords } from "../../src/run/records.ts";
import { runTask, type RunParts, type TaskEnd } from "../../src/run/run-task.ts";
import type { Database } from "../../src/store/database.ts";
import { finishTask, markRunning, readTask } from "../../src/store/tasks.ts";
import type { TaskId } from "../../src/task.ts";

/** The worker dies before or after the entry is committed for which `isIt` says so; it is asked once of each. */
export type Fault = { readonly when: "before" | "after"; readonly isIt: (entry: JournalEntry) => boolean };

export const NO_FAULT: Fault = { when: "after", isIt: () => false };

export class Died extends Error {
  override readonly name = "Died";
}

export type Attempted = { readonly end: TaskEnd | "died"; readonly entries: readonly JournalEntry[] };

export type Worker = { readonly parts: RunParts; readonly database: Database };

export async function attemptTask({ parts, database }: Worker, taskId: TaskId, fault: Fault): Promise<Attempted> {
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
    const openLedger: TaskRecords["openLedger"] = (usdMax, tell) => {
      const ledger = records.openLedger(usdMax, tell);
      const charge: typeof ledger.charge = async (...reply) => {
        died.signal.throwIfAborted();
        return ledger.charge(...reply);
      };
      return { ...ledger, charge };
    };
    const run = { task, attempt, records: { ...records, journal, assertCurrent, openLedger } };
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
