/** Runs at once: one worker of ours with many in it, and eight processes of each harness. */
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Harness } from "./harnesses.ts";
import { measure, readMemory, type Measured } from "./measure.ts";
import { makeCheckout } from "./script.ts";
import { copyHomes, play, type Bench } from "./session.ts";
import { median, takeTraffic } from "./traffic.ts";

const Told = z.object({ started: z.array(z.number()) });

export type Worker = Measured & {
  /** From the call that starts a run to its first request, for each run but the one that warmed the worker. */
  readonly firstRequestsMs: readonly number[];
  readonly gapMs: number;
};

const WORKER_MS_MAX = 300_000;

/** `runs` runs in one process, after one that warms it up. */
export async function runWorker(
  bench: Bench,
  mode: "at-once" | "in-turn",
  runs: number,
  turns: number,
): Promise<Worker> {
  const place = join(bench.folder, `worker-${mode}-${runs}`);
  const checkouts = Array.from({ length: runs + 1 }, (_, i) => join(place, `checkout-${i}`));
  for (const checkout of checkouts) makeCheckout(checkout, "alpha");
  await mkdir(join(place, "data"));
  const session = `worker-${mode}-${runs}`;
  const log = join(place, "log");
  const script = join(import.meta.dirname, "worker.ts");
  const measured = await measure(
    {
      argv: [process.execPath, script, mode, `${bench.standIn}/${session}`, String(turns), ...checkouts],
      cwd: place,
      env: { PATH: process.env["PATH"] ?? "", ANTHROPIC_API_KEY: "sk-bench", PULLWRIGHT_DATA: join(place, "data") },
    },
    log,
    WORKER_MS_MAX,
  );
  const said = await readFile(log, "utf8");
  if (measured.exitCode !== 0) throw new Error(`the worker ended with ${measured.exitCode}: ${said}`);
  const { started } = Told.parse(JSON.parse(said.trim().split("\n").at(-1) ?? ""));
  const traffics = await Promise.all(
    checkouts.map((_, i) => takeTraffic(bench.standIn, `${session}-${i}`, { name: "none", count: () => 0 })),
  );
  await rm(place, { recursive: true, force: true });
  const own = traffics.slice(1);
  const incomplete = own.filter(({ requests }) => requests !== turns + 1).length;
  if (incomplete > 0) throw new Error(`${incomplete} of ${runs} runs were not played to their end: ${said}`);
  return {
    ...measured,
    firstRequestsMs: own.map(({ firstAt }, i) => firstAt - (started[i] ?? Number.NaN)),
    gapMs: median(own.flatMap(({ gapsMs }) => gapsMs)),
  };
}

export type AtOnce = {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly rssMb: number;
  readonly pssMb: number;
};

/** Of all processes of the sessions together. */
const SAMPLE_MS = 250;

/** `count` sessions, a process each. Null when one of them was not played to its end. */
export async function playAtOnce(bench: Bench, harness: Harness, count: number, turns: number): Promise<AtOnce | null> {
  await copyHomes(bench, harness, count);
  const peak = { rssMb: 0, pssMb: 0 };
  const sampler = setInterval(() => {
    // Everything below this process but the stand-in, which is in it from the start.
    const { rssMb, pssMb } = readMemory(process.pid);
    peak.rssMb = Math.max(peak.rssMb, rssMb);
    peak.pssMb = Math.max(peak.pssMb, pssMb);
  }, SAMPLE_MS);
  const before = readMemory(process.pid);
  const startedAt = performance.now();
  try {
    const sessions = await Promise.all(
      Array.from({ length: count }, (_, slot) => play(bench, harness, { turns, name: "alpha", slot })),
    );
    const played = sessions.filter((session) => typeof session !== "string");
    if (played.length < count) return null;
    return {
      wallMs: performance.now() - startedAt,
      cpuMs: played.reduce((all, { cpuMs }) => all + cpuMs, 0),
      ...{ rssMb: peak.rssMb - before.rssMb, pssMb: peak.pssMb - before.pssMb },
    };
  } finally {
    clearInterval(sampler);
  }
}
