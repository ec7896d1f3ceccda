/** `run`: a task in the checkout one stands in. No GitHub, no database; the journal is a file. */
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { UserError } from "../failure.ts";
import type { Journal } from "../journal.ts";
import { openModels, type ModelRole } from "../model/roles.ts";
import { modelKeys } from "../model-settings.ts";
import { renderEntry } from "../ops/tables.ts";
import { renderOutcome } from "../ops/outcome-text.ts";
import { redacting } from "../run/records.ts";
import { runLocal } from "../run/run-local.ts";
import { untilInterrupted } from "./open-session.ts";
import { openSandbox } from "../sandbox/open-sandbox.ts";
import { requireIsolation } from "../sandbox/require-isolation.ts";
import { readSettings } from "../settings.ts";
import { fileJournal } from "../store/journal-file.ts";

export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { json: { type: "boolean", default: false }, review: { type: "boolean", default: false } },
    allowPositionals: true,
  });
  const task = positionals.join(" ").trim();
  if (task === "") throw new UserError('usage: pullwright run [--json] [--review] "what to do"');
  const settings = readSettings();
  const root = findCheckout(process.cwd());
  openModels(settings, "author"); // A missing key is told before anything is opened.
  const sandbox = openSandbox(settings);
  await requireIsolation(sandbox, (message) => console.error(`pullwright: ${message}`));
  const id = new Date().toISOString().replaceAll(/[:.]/g, "-");
  const path = join(settings.dataDir, "local", `${id}.jsonl`);
  const keys = modelKeys(settings);
  const journal = redacting(aloud(await openFile(path), values.json), keys);
  const parts = {
    openModels: async (role: ModelRole) => openModels(settings, role),
    ...{ sandbox, journal, limits: settings.limits, cacheKey: id, written: [], now: Date.now },
    wantsOpinion: values.review,
  };
  const outcome = await runLocal(parts, root, task, untilInterrupted());
  if (!values.json) console.log(`\n${renderOutcome(outcome)}\n\njournal: ${path}`);
  return outcome.kind === "changed" || outcome.kind === "nothing-changed" ? 0 : 1;
}

async function openFile(path: string): Promise<Journal> {
  await mkdir(dirname(path), { recursive: true });
  return fileJournal(path, Date.now);
}

/** Each entry is printed when it is durable. */
function aloud(journal: Journal, asJson: boolean): Journal {
  let seq = 0;
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

/** The checkout's root: the nearest folder upwards with a .git. Found by name only; no git runs on the host here. */
function findCheckout(from: string): string {
  for (let dir = from; ; dir = dirname(dir)) {
    if (existsSync(join(dir, ".git"))) return dir;
    if (dir === dirname(dir)) throw new UserError("run works in a git checkout, and there is none here or above.");
  }
}
