/**
 * A worker's process with many runs in it: parts opened once, then runs without a forge in checkouts that are already there.
 * `node worker.ts at-once|in-turn BASE_URL TURNS CHECKOUT...`; prints when each run started, on the stand-in's clock.
 */
import { join } from "node:path";
import { openModels, type ModelRole } from "../../src/model/roles.ts";
import { openLocalSetUp } from "../../src/run/open-set-up.ts";
import { runLocal } from "../../src/run/run-local.ts";
import { openSandbox } from "../../src/sandbox/open-sandbox.ts";
import { requireIsolation } from "../../src/sandbox/require-isolation.ts";
import { readSettings } from "../../src/settings.ts";
import { fileJournal } from "../../src/store/journal-file.ts";
import { TASK } from "./script.ts";
import { findBrowserOnce } from "../../src/tools/find-browser.ts";

const [mode = "", baseUrl = "", turns = "1", warmUp = "", ...checkouts] = process.argv.slice(2);

const settings = readSettings();
const sandbox = openSandbox(settings);
const findBrowser = findBrowserOnce(sandbox, settings.sandboxTools);
await requireIsolation(sandbox, () => {});

// A worker that has run before: the vendor's SDK is loaded and the code is compiled.
await run(warmUp, 0);
const started: number[] = [];
if (mode === "at-once") started.push(...(await Promise.all(checkouts.map((checkout, i) => run(checkout, i + 1)))));
else for (const [i, checkout] of checkouts.entries()) started.push(await run(checkout, i + 1));
console.log(JSON.stringify({ started }));

/** A model client of its own for each, because the address says which session it is; keys and settings are shared. */
async function run(checkout: string, index: number): Promise<number> {
  const address = `${baseUrl}-${index}/${turns}`;
  const anthropic = settings.anthropic && { ...settings.anthropic, baseUrl: address };
  const startedAt = Number(process.hrtime.bigint()) / 1e6;
  await using journal = fileJournal(join(settings.dataDir, "local", `${index}.jsonl`), Date.now);
  const parts = {
    openModels: async (role: ModelRole) => openModels({ ...settings, anthropic }, role),
    ...{ sandbox, journal, limits: settings.limits, cacheKey: `bench-${index}`, now: Date.now },
    ...{ findBrowser, setUp: openLocalSetUp(settings), wantsOpinion: false, written: [] },
  };
  const outcome = await runLocal(parts, checkout, TASK, new AbortController().signal);
  if (outcome.kind === "refused") throw new Error("the scripted session was refused");
  return startedAt;
}
