/** One process tree from start to end: wall, CPU and peak memory. CPU is counted by a control group; memory is sampled. */
import { spawn } from "node:child_process";
import { openSync, closeSync, readdirSync, readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { Readable } from "node:stream";
import { openCpuGroup } from "./cpu-group.ts";

export type Command = {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
};

export type Measured = {
  readonly exitCode: number | null;
  /** On the clock of the stand-in's records. */
  readonly startedAt: number;
  readonly wallMs: number;
  readonly cpuMs: number;
  /** "waited-for" lacks what a sandbox's own namespace ran: see cpu-group.ts. */
  readonly cpuOf: "all" | "waited-for";
  readonly peakRssMb: number;
  /** Pages shared by several processes are counted once, in parts. */
  readonly peakPssMb: number;
};

/** A shorter peak is missed. Reading a tree of a gigabyte takes some milliseconds of the measurer's own time. */
const SAMPLE_MS = 100;

/** Ends the whole tree after `timeoutMs`. Output goes to the file `log`. */
export async function measure(command: Command, log: string, timeoutMs: number): Promise<Measured> {
  const out = openSync(log, "a");
  const startedAt = Number(process.hrtime.bigint()) / 1e6;
  const group = openCpuGroup(`pullwright-bench-${process.pid}-${startedAt}`);
  const script = 'echo 0 >"$0"; "$@" 3>&-; code=$?; times >&3; exit $code';
  const child = spawn("/bin/bash", ["-c", script, group?.joinFile ?? "/dev/null", ...command.argv], {
    ...{ cwd: command.cwd, env: { ...command.env }, detached: true },
    stdio: ["ignore", out, out, "pipe"],
  });
  closeSync(out);
  const pid = child.pid ?? 0;
  const pipes: readonly unknown[] = child.stdio;
  const times = pipes[3] instanceof Readable ? text(pipes[3]) : Promise.resolve("");
  const peak = { rssMb: 0, pssMb: 0 };
  const sampler = setInterval(() => {
    const now = readMemory(pid);
    peak.rssMb = Math.max(peak.rssMb, now.rssMb);
    peak.pssMb = Math.max(peak.pssMb, now.pssMb);
  }, SAMPLE_MS);
  const timer = setTimeout(() => process.kill(-pid, "SIGKILL"), timeoutMs);
  try {
    const exitCode = await new Promise<number | null>((resolve, reject) => {
      child.once("exit", (code) => resolve(code));
      child.once("error", reject);
    });
    const wallMs = Number(process.hrtime.bigint()) / 1e6 - startedAt;
    const waitedForMs = readTimes(await times);
    const cpuMs = group?.readMs() ?? waitedForMs;
    const memory = { peakRssMb: peak.rssMb, peakPssMb: peak.pssMb };
    return { exitCode, startedAt, wallMs, cpuMs, cpuOf: group ? "all" : "waited-for", ...memory };
  } finally {
    clearInterval(sampler);
    clearTimeout(timer);
    group?.remove();
  }
}

/** The second line of `times` is what the children took: "0m1.234s 0m0.056s". */
function readTimes(printed: string): number {
  const [, line = ""] = printed.split("\n");
  const parts = [...line.matchAll(/(\d+)m([\d.]+)s/g)];
  return parts.reduce((sum, [, minutes, seconds]) => sum + Number(minutes) * 60_000 + Number(seconds) * 1000, 0);
}

export type Memory = { readonly rssMb: number; readonly pssMb: number };

/** Of all processes below this one. */
export function readMemory(root: number): Memory {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (pid > 0) parents.set(pid, readParent(pid));
  }
  const below = (pid: number): boolean => {
    const parent = parents.get(pid);
    return parent !== undefined && (parent === root || below(parent));
  };
  const all = [...parents.keys()].filter(below).map(readOne);
  return {
    rssMb: all.reduce((sum, { rssMb }) => sum + rssMb, 0),
    pssMb: all.reduce((sum, { pssMb }) => sum + pssMb, 0),
  };
}

function readParent(pid: number): number {
  const stat = readQuietly(`/proc/${pid}/stat`);
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1] ?? 0);
}

export function readOne(pid: number): Memory {
  const rollup = readQuietly(`/proc/${pid}/smaps_rollup`);
  const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(rollup)?.[1] ?? 0);
  return { rssMb: kilobytes("Rss") / 1024, pssMb: kilobytes("Pss") / 1024 };
}

/** A process may end between the listing and the reading. */
function readQuietly(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error) return "";
    throw error;
  }
}
