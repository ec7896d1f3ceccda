/** What one attempt at a task keeps in PostgreSQL: its journal, its publications, its charges, and its right to write. */
import type { Outcome } from "../outcome.ts";
import type { Journal, Usage } from "../journal.ts";
import { redactEntry } from "../policy/redact-entry.ts";
import type { PublicationLog } from "../publish/perform.ts";
import type { Sql } from "../store/database.ts";
import { postgresJournal, readTaskJournal } from "../store/journal.ts";
import { charge } from "../store/ledger.ts";
import { complete, find, intend } from "../store/publications.ts";
import { isCurrent, superseded, type Attempt } from "../store/tasks.ts";

export type TaskRecords = {
  readonly journal: Journal;
  readonly publications: PublicationLog;
  /** How an earlier attempt ended, when it was lost before it had published everything. */
  readonly earlierOutcome: () => Promise<Outcome | null>;
  readonly charge: (turn: number, model: string, usage: Usage, costUsd: number) => Promise<void>;
  /** Throws when another attempt has taken the task over. */
  readonly assertCurrent: () => Promise<void>;
};

export function openRecords(
  sql: Sql,
  run: Attempt & { readonly now: () => number; readonly secrets: readonly string[] },
): TaskRecords {
  const { taskId, attempt, now, secrets } = run;
  return {
    journal: redacting(postgresJournal(sql, { taskId, attempt, now }), secrets),
    publications: {
      find: (role) => find(sql, { taskId, role }),
      intend: async (role, intent) => {
        await intend(sql, { taskId, attempt, role, intent });
      },
      complete: (role, written) => complete(sql, { taskId, role, ...written }),
    },
    earlierOutcome: async () => {
      const entries = await readTaskJournal(sql, taskId);
      const finished = entries.findLast((recorded) => recorded.attempt < attempt && recorded.entry.kind === "finished");
      return finished?.entry.kind === "finished" && finished.entry.outcome.kind !== "failed"
        ? finished.entry.outcome
        : null;
    },
    charge: (turn, model, usage, costUsd) => charge(sql, { taskId, attempt, turn, model, usage, costUsd, at: now() }),
    assertCurrent: async () => {
      if (!(await isCurrent(sql, { taskId, attempt }))) throw superseded({ taskId, attempt });
    },
  };
}

/** Nothing that looks like a credential is kept, wherever it came from: a repository's own files may hold one. */
export function redacting(journal: Journal, secrets: readonly string[]): Journal {
  return { read: () => journal.read(), append: (entry) => journal.append(redactEntry(entry, secrets)) };
}
