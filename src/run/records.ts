/** What one attempt at a task keeps in PostgreSQL: its journal, its publications, its charges, and its right to write. */
import type { Charge } from "../agent/purse.ts";
import type { CostEstimate, Journal, JournalEntry, TreeJournal, TreePack } from "../journal.ts";
import { dayState, startOfDay, type BudgetState, type DaySpent } from "../policy/budget.ts";
import { planAlerts, renderAlert, type DayCharged, type SpendingAlert } from "../policy/spending.ts";
import type { DayLimits } from "../settings.ts";
import type { Task, TaskId } from "../task.ts";
import { redactEntry } from "../policy/redact-entry.ts";
import type { PublicationLog } from "../publish/perform.ts";
import type { ResultShelf } from "../publish/result.ts";
import { markSent, noteAlert } from "../store/alerts.ts";
import type { Sql } from "../store/database.ts";
import { readPacks } from "../store/checkpoints.ts";
import { postgresJournal, readTaskJournal, type AttemptEntry } from "../store/journal.ts";
import { charge, estimateCost, readCharges, spentSince } from "../store/ledger.ts";
import { takeNotes, type TaskNote } from "../store/notes.ts";
import { complete, find, intend } from "../store/publications.ts";
import { findResult, RESULT_BYTES_MAX, saveResult } from "../store/results.ts";
import { isCurrent, superseded } from "../store/tasks.ts";
import { findUncharged } from "./past.ts";
import { readSuperseding } from "../store/supersede.ts";

export type Ledger = { readonly charge: Charge; readonly dayState: () => Promise<BudgetState> };

/** Says on the task's thread that the repository's money runs short; false when that is to be tried again. */
export type TellAlert = (alert: SpendingAlert) => Promise<boolean>;

export type TaskRecords = {
  readonly journal: TreeJournal;
  readonly publications: PublicationLog;
  /** The work itself, kept before it is pushed. */
  readonly results: ResultShelf;
  /** What was written up to now. Replies among it that were never charged, their worker lost just then, are charged now. */
  readonly takeOver: () => Promise<readonly AttemptEntry[]>;
  /** What the work tree of the last checkpoint is put back from. */
  readonly readPacks: () => Promise<readonly TreePack[]>;
  /** Money of the day, with the repository's own limit where it has set a lower one. `tell` is null when others tell. */
  readonly openLedger: (repoUsdMax: number | undefined, tell: TellAlert | null) => Ledger;
  /** What ended tasks of the same kind in this repository cost, null without one. */
  readonly estimate: () => Promise<CostEstimate | null>;
  /** What was said to the task since the last call. */
  readonly takeNotes: () => Promise<readonly TaskNote[]>;
  /** The commit that an automatic review was superseded by, as a delivery said; else null. */
  readonly supersededBy: () => Promise<string | null>;
  /** Throws when another attempt has taken the task over. */
  readonly assertCurrent: () => Promise<void>;
};

type RecordsOf = {
  readonly attempt: number;
  readonly now: () => number;
  readonly secrets: readonly string[];
  readonly dayLimits: DayLimits;
  /** For results that are too large for the database. */
  readonly resultsDir: string;
};

export function openRecords(sql: Sql, task: Pick<Task, "id" | "goal" | "repo">, run: RecordsOf): TaskRecords {
  const { attempt, now, secrets, dayLimits } = run;
  const taskId = task.id;
  const repoId = task.repo.id;
  return {
    journal: redactingTrees(postgresJournal(sql, { taskId, attempt, now }), secrets),
    publications: {
      find: (role) => find(sql, { taskId, role }),
      intend: async (role, intent) => {
        await intend(sql, { taskId, attempt, role, intent });
      },
      complete: (role, { ref, url }) => complete(sql, { taskId, attempt, role, ref, url }),
    },
    results: {
      save: (result) => saveResult(sql, { taskId, attempt }, result),
      find: () => findResult(sql, { taskId, attempt }),
      bytesMax: RESULT_BYTES_MAX,
      dir: run.resultsDir,
    },
    takeOver: async () => {
      const earlier = await readTaskJournal(sql, taskId);
      const charged = earlier.length === 0 ? [] : await readCharges(sql, taskId);
      for (const missing of findUncharged(earlier, charged))
        await charge(sql, { taskId, ...missing }, startOfDay(missing.at));
      return earlier;
    },
    readPacks: () => readPacks(sql, taskId),
    openLedger: (repoUsdMax = Infinity, tell) => {
      const limits = { ...dayLimits, repoUsdMax: Math.min(dayLimits.repoUsdMax, repoUsdMax) };
      return {
        charge: async (turn, model, usage, costUsd) => {
          const at = now();
          const spent = await charge(sql, { taskId, attempt, turn, model, usage, costUsd, at }, startOfDay(at));
          await noteAlerts(sql, taskId, { repo: task.repo, at, spent, limits }, tell);
          return dayState(spent, limits);
        },
        dayState: async () => dayState(await readDay(sql, task.repo, startOfDay(now())), limits),
      };
    },
    estimate: () => estimateCost(sql, { repoId, goal: task.goal }),
    takeNotes: () => takeNotes(sql, { taskId, attempt }),
    supersededBy: () => readSuperseding(sql, taskId),
    assertCurrent: async () => {
      if (!(await isCurrent(sql, { taskId, attempt }))) throw superseded({ taskId, attempt });
    },
  };
}

/** Noted with the charge, because here alone the repository's own limit is known. Told by the run whose charge was the first. */
async function noteAlerts(sql: Sql, taskId: TaskId, day: DayCharged, tell: TellAlert | null): Promise<void> {
  for (const alert of planAlerts(day)) {
    const { key, kind } = alert;
    const message = { text: renderAlert(alert), ...alert };
    const noted = await noteAlert(sql, { key, kind, message, taskId, at: day.at });
    const isOurs = kind === "repository" && noted?.taskId === taskId && !noted.isSent;
    if (isOurs && tell !== null && (await tell(alert))) await markSent(sql, key, day.at);
  }
}

async function readDay(sql: Sql, { id: repoId, installationId }: Task["repo"], since: number): Promise<DaySpent> {
  const repoUsd = await spentSince(sql, { since, repoId });
  return { repoUsd, installationUsd: await spentSince(sql, { since, installationId }) };
}

/** Nothing that looks like a credential is kept, wherever it came from: a repository's own files may hold one. */
export function redacting(journal: Journal, secrets: readonly string[]): Journal {
  return { read: () => journal.read(), append: (entry) => journal.append(redactEntry(entry, secrets)) };
}

function redactingTrees(journal: TreeJournal, secrets: readonly string[]): TreeJournal {
  const redact = (entry: JournalEntry) => redactEntry(entry, secrets);
  const appendTogether: TreeJournal["appendTogether"] = (entries, pack) =>
    journal.appendTogether(entries.map(redact), pack);
  return { ...redacting(journal, secrets), appendTogether };
}
