/** `eval`: every case of a folder run as a local run, then judged by the case's own check in a sandbox. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { openCase, readCases, type Case } from "../eval/cases.ts";
import { sumScores, type Score } from "../eval/score.ts";
import { UserError } from "../failure.ts";
import { openModels, type ModelRole } from "../model/roles.ts";
import { renderTable } from "../ops/tables.ts";
import { openLocalSetUp } from "../run/open-set-up.ts";
import { runLocal } from "../run/run-local.ts";
import { runChecks } from "../run/verify.ts";
import { SANDBOX_LIMITS } from "../sandbox/limits.ts";
import { openSandbox } from "../sandbox/open-sandbox.ts";
import { requireIsolation } from "../sandbox/require-isolation.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { readSettings, type Settings } from "../settings.ts";
import { fileJournal } from "../store/journal-file.ts";
import { type FindBrowser, findBrowserOnce } from "../tools/find-browser.ts";

export async function evaluate(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { json: { type: "boolean", default: false } },
    allowPositionals: true,
  });
  const [dir] = positionals;
  if (dir === undefined) throw new UserError("usage: pullwright eval DIR [--json]");
  const settings = readSettings();
  const cases = await readCases(resolve(dir));
  const [model] = openModels(settings, "author");
  const sandbox = openSandbox(settings);
  await requireIsolation(sandbox, (message) => console.error(`pullwright: ${message}`));
  const scores: Score[] = [];
  const findBrowser = findBrowserOnce(sandbox, settings.sandboxTools);
  for (const one of cases) scores.push(await runCase(one, { sandbox, findBrowser, settings }));
  const totals = sumScores(scores);
  if (values.json) console.log(JSON.stringify({ model: model.id, totals, scores }));
  else
    console.log(
      `${renderScores(scores)}\n\n${model.id}: ${totals.resolved} of ${totals.cases} resolved, $${totals.usd.toFixed(4)}`,
    );
  return 0;
}

type Parts = { readonly sandbox: Sandbox; readonly findBrowser: FindBrowser; readonly settings: Settings };

async function runCase(one: Case, { sandbox, findBrowser, settings }: Parts): Promise<Score> {
  const parent = join(settings.dataDir, "eval");
  await mkdir(parent, { recursive: true, mode: 0o711 });
  const dir = await mkdtemp(join(parent, "case-"));
  try {
    const root = join(dir, "repo");
    await openCase(one, root);
    await using journal = fileJournal(join(dir, "journal.jsonl"), Date.now);
    const never = new AbortController().signal;
    const parts = {
      openModels: async (role: ModelRole) => openModels(settings, role),
      ...{ sandbox, journal, limits: settings.limits, cacheKey: one.name, written: [], now: Date.now },
      ...{ findBrowser, setUp: openLocalSetUp(settings), wantsOpinion: settings.secondOpinion },
    };
    const { spend } = await runLocal(parts, root, one.task, never);
    const opening = { workspaceDir: root, readOnlyPaths: [], isReadOnly: false, limits: SANDBOX_LIMITS };
    await using session = await sandbox.open(opening);
    const [check] = await runChecks(session, [one.check], never);
    return {
      name: one.name,
      isResolved: check?.exitCode === 0,
      usd: spend?.usd ?? 0,
      turns: spend?.turns ?? 0,
      wallMs: spend?.wallMs ?? 0,
    };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function renderScores(scores: readonly Score[]): string {
  const rows = scores.map((score) => [
    score.name,
    score.isResolved ? "resolved" : "failed",
    String(score.turns),
    `${(score.wallMs / 1000).toFixed(0)} s`,
    `$${score.usd.toFixed(4)}`,
  ]);
  return renderTable(["case", "result", "turns", "time", "cost"], rows);
}
