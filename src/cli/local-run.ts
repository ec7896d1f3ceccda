/** A run without GitHub in a person's checkout, begun or gone on with: what `run` and `resume` have in common. */
import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { UserError } from "../failure.ts";
import type { Journal, JournalEntry } from "../journal.ts";
import { modelKeys } from "../model-settings.ts";
import { openModels, type ModelRole } from "../model/roles.ts";
import { renderOutcome } from "../ops/outcome-text.ts";
import { renderEntry } from "../ops/tables.ts";
import { openLocalSetUp } from "../run/open-set-up.ts";
import { redacting } from "../run/records.ts";
import { runLocal } from "../run/run-local.ts";
import { openSandbox } from "../sandbox/open-sandbox.ts";
import { isolating } from "../sandbox/require-isolation.ts";
import type { Settings } from "../settings.ts";
import { tryExclusive } from "../file-lock.ts";
import { fileJournal } from "../store/journal-file.ts";
import { untilInterrupted } from "./open-session.ts";
import { findBrowserOnce } from "../tools/find-browser.ts";

export type LocalRun = {
  readonly id: string;
  /** Where the journal is: absolute, ends in .jsonl. */
  readonly path: string;
  readonly root: string;
  readonly task: string;
  readonly wantsOpinion: boolean;
  /** What earlier processes of this run wrote; [] for a fresh start. */
  readonly written: readonly JournalEntry[];
  readonly asJson: boolean;
};

/** To its end, said aloud. The exit status: 0 when the work is done or there was nothing to do. */
export async function carryOut(settings: Settings, run: LocalRun): Promise<number> {
  const { id, path, root, task, wantsOpinion, written, asJson } = run;
  openModels(settings, "author"); // A missing key is told before anything is opened.
  const sandbox = isolating(openSandbox(settings), (message) => console.error(`pullwright: ${message}`));
  const keys = modelKeys(settings);
  await using file = fileJournal(path, Date.now);
  const journal = redacting(aloud(file, { asJson, from: written.length }), keys);
  const parts = {
    openModels: async (role: ModelRole) => openModels(settings, role),
    ...{ setUp: openLocalSetUp(settings), findBrowser: findBrowserOnce(sandbox, settings.sandboxTools) },
    ...{ sandbox, journal, limits: settings.limits, cacheKey: id, wantsOpinion, written, now: Date.now },
  };
  const outcome = await runLocal(parts, root, task, untilInterrupted(" `pullwright resume` goes on with the run."));
  if (!asJson) console.log(`\n${renderOutcome(outcome)}\n\njournal: ${path}`);
  return outcome.kind === "changed" || outcome.kind === "nothing-changed" ? 0 : 1;
}

export function localRunsDir({ dataDir }: Pick<Settings, "dataDir">): string {
  return join(dataDir, "local");
}

/** Nobody else works on the run while `work` does. The kernel lets go of the lock when we die. */
export async function withRunLock(path: string, work: () => Promise<number>): Promise<number> {
  await mkdir(dirname(path), { recursive: true });
  const lockPath = path.replace(/(\.jsonl)?$/, ".lock");
  const lock = tryExclusive(lockPath);
  if (lock === null) throw new UserError(`Another process is at work on this run (${path}).`);
  try {
    return await work();
  } finally {
    await rm(lockPath, { force: true });
    lock.release();
  }
}

/** The checkout's root: the nearest folder upwards with a .git. Found by name only; no git runs on the host here. */
export function findCheckout(from: string): string {
  for (let dir = from; ; dir = dirname(dir)) {
    if (existsSync(join(dir, ".git"))) return dir;
    if (dir === dirname(dir)) throw new UserError("A run works in a git checkout, and there is none here or above.");
  }
}

/** Each entry is printed when it is durable. `from` entries are in the journal already. */
function aloud(journal: Journal, { asJson, from }: { readonly asJson: boolean; readonly from: number }): Journal {
  let seq = from;
  return {
    read: () => journal.read(),
    append: async (entry) => {
      await journal.append(entry);
      seq += 1;
      const line = asJson ? JSON.stringify({ seq, at: Date.now(), entry }) : renderEntry(entry);
      if (line !== "") console.log(line);
    },
  };
}
