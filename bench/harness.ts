/**
 * `npm run bench:harness [-- --rounds 3] [--only pullwright,codex] [--no-worker]`: one scripted session of 1, 20 and 60 turns, played by
 * Pullwright, by a bare loop and by other harnesses from npm, which it installs into the caller's cache folder. Prints tables in
 * Markdown; docs/performance.md says what they mean. Nothing leaves the machine but npm's own requests.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { HARNESSES, type Harness } from "./harness/harnesses.ts";
import { installPeers } from "./harness/install.ts";
import { playAtOnce, runWorker, type AtOnce } from "./harness/many.ts";
import { TURNS } from "./harness/script.ts";
import { play, type Bench, type Session } from "./harness/session.ts";
import { renderAtOnce, renderCost, renderTraffic, renderWorker, type Row } from "./harness/tables.ts";
import { openTokens } from "./harness/tokens.ts";

/** No further round is begun after this, so that the whole ends within a quarter of an hour. */
const ROUNDS_MS_MAX = 420_000;
/** A harness whose shortest session takes this long is played once only, and not eight times at once. */
const SLOW_CPU_MS = 6000;
/** On a busy machine its long session would take what is left: after this it is left out, and the slope is that of the shorter ones. */
const SLOW_MS_MAX = 240_000;
const AT_ONCE = 8;
const WORKER_RUNS = [1, 10, 50] as const;
/** Of each of them: fifty runs must not take minutes. */
const WORKER_TURNS = 10;
/** Eight at once is left out for those whose turn comes after this. */
const AT_ONCE_MS_MAX = 720_000;

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    only: { type: "string" },
    "no-worker": { type: "boolean", default: false },
  },
});

const startedAt = performance.now();
const chosen = HARNESSES.filter(({ name }) => values.only?.split(",").includes(name) ?? true);
// All of them whichever were chosen: npm would take the others away.
const packages = HARNESSES.flatMap((harness) => harness.package ?? []);
const { modules, failure } = await installPeers(packages);
if (failure !== null) console.log(`npm could not install the peers: ${failure}\n`);

// Not below a closed home folder: as root, the sandbox's user must pass through.
const folder = await mkdtemp("/var/tmp/pullwright-bench-");
await chmod(folder, 0o711);
const standIn = spawn(process.execPath, [join(import.meta.dirname, "harness/stand-in.ts")], {
  stdio: ["ignore", "pipe", "inherit"],
});
try {
  const [said] = await once(standIn.stdout, "data");
  await report({ folder, modules, standIn: String(said).trim(), tokens: await openTokens(modules) });
} finally {
  standIn.kill();
  await rm(folder, { recursive: true, force: true });
}

async function report(bench: Bench): Promise<void> {
  const load = loadavg()[0]?.toFixed(2);
  const { rows, reasons } = await playRounds(bench);
  console.log(renderCost(rows));
  console.log(renderTraffic(rows, bench.tokens.name));
  for (const reason of reasons) console.log(`Not played: ${reason}\n`);
  console.log(renderAtOnce(AT_ONCE, await playAll(bench, rows)));
  if (!values["no-worker"]) console.log(renderWorker(await workerRows(bench)));
  const minutes = ((performance.now() - startedAt) / 60_000).toFixed(1);
  console.log(`Took ${minutes} minutes; load average ${load} at the start, ${loadavg()[0]?.toFixed(2)} at the end.`);
}

/** Harnesses take turns within a round, so that a noisy minute hits all of them. */
async function playRounds(bench: Bench): Promise<{ rows: readonly Row[]; reasons: readonly string[] }> {
  const rows = new Map<Harness, Session[][]>(chosen.map((harness) => [harness, TURNS.map(() => [])]));
  const reasons: string[] = [];
  for (const harness of rows.keys()) {
    const session = await play(bench, harness, { turns: 1, name: "alpha", slot: 0 }); // Not counted: it fills caches.
    if (typeof session !== "string") continue;
    reasons.push(`${harness.name}: ${session}`);
    rows.delete(harness);
  }
  for (let round = 0; round < Number(values.rounds); round++) {
    if (performance.now() - startedAt > ROUNDS_MS_MAX) break;
    for (const [i, turns] of TURNS.entries()) {
      for (const [harness, sessions] of rows) {
        const isLate = round > 0 || performance.now() - startedAt > SLOW_MS_MAX;
        if (isSlow(sessions) && isLate) continue;
        const session = await play(bench, harness, { turns, name: "alpha", slot: 0 });
        if (typeof session !== "string") sessions[i]?.push(session);
        else reasons.push(`${harness.name}, ${turns} turns: ${session}`);
      }
    }
  }
  const played = [...rows].map(async ([harness, sessions]) => ({ harness, sessions, elsewhere: null }));
  return { rows: await withOtherCheckout(bench, await Promise.all(played)), reasons };
}

/** One turn more in a checkout with other contents at another place: what both first requests share can be cached for both. */
async function withOtherCheckout(bench: Bench, rows: readonly Row[]): Promise<readonly Row[]> {
  const done: Row[] = [];
  for (const row of rows) {
    const session = await play(bench, row.harness, { turns: 1, name: "other", slot: 0 });
    done.push({ ...row, elsewhere: typeof session === "string" ? null : session });
  }
  return done;
}

async function playAll(bench: Bench, rows: readonly Row[]) {
  const results: { name: string; result: AtOnce | null }[] = [];
  for (const { harness, sessions } of rows) {
    if (isSlow(sessions)) continue;
    const isLate = performance.now() - startedAt > AT_ONCE_MS_MAX;
    const result = isLate ? null : await playAtOnce(bench, harness, AT_ONCE, TURNS[1]);
    results.push({ name: harness.name, result });
  }
  return results;
}

async function workerRows(bench: Bench) {
  const inTurn = await runWorker(bench, "in-turn", 12, 1);
  const atOnce = [];
  for (const runs of WORKER_RUNS) atOnce.push({ runs, result: await runWorker(bench, "at-once", runs, WORKER_TURNS) });
  return { inTurn, atOnce, turns: WORKER_TURNS };
}

function isSlow(sessions: readonly (readonly Session[])[]): boolean {
  return (sessions[0]?.[0]?.cpuMs ?? 0) > SLOW_CPU_MS;
}
