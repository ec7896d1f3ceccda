/** The limits that a process carries itself. */
import { readFileSync } from "node:fs";
import type { SandboxLimits } from "./sandbox.ts";

/** Enough for bundlers and file watchers; select() breaks far above. */
const OPEN_FILES_MAX = 4096;
/** bash's ulimit counts file sizes in these. */
const FILE_BLOCK_BYTES = 1024;
/** The launcher, and bubblewrap outside of its namespaces. */
const LAUNCHER_PROCESSES = 2;

/**
 * As options of bash's ulimit. No limit on data or address space: Node 24 reserves half a gigabyte for each worker thread without
 * touching it, and under RLIMIT_DATA of 1 GiB no thread starts. The kernel counts processes by user: those of one that only our
 * sandboxes have are limited here, an ordinary user's inside, where the namespace has a count of its own.
 */
export function resourceLimits(limits: SandboxLimits, hasOwnUser: boolean): (readonly [string, number])[] {
  const hard = readHardLimits();
  const processes = limits.processesMax + LAUNCHER_PROCESSES;
  return [
    ["-n", atMost(OPEN_FILES_MAX, hard, "Max open files")],
    ["-f", Math.floor(atMost(limits.fileBytesMax, hard, "Max file size") / FILE_BLOCK_BYTES)],
    ["-c", 0],
    ...(hasOwnUser ? [["-u", atMost(processes, hard, "Max processes")] as const] : []),
  ];
}

/** A command with its limit on processes, where that must be set inside. */
export function limitedCommand(argv: readonly string[], limits: SandboxLimits, hasOwnUser: boolean): readonly string[] {
  if (hasOwnUser) return argv;
  return ["prlimit", `--nproc=${atMost(limits.processesMax, readHardLimits(), "Max processes")}`, "--", ...argv];
}

/** As much as podman's service gives itself, which it may not raise without CAP_SYS_RESOURCE; no limit on anything we run. */
const USER_PROCESSES_MAX = 32_768;

/** How many processes our own user may have on this machine. */
export function processesOfUserMax(): number {
  return atMost(USER_PROCESSES_MAX, readHardLimits(), "Max processes");
}

function readHardLimits(): string {
  return readFileSync("/proc/self/limits", "utf8");
}

/** Nobody may raise a hard limit, and whoever is asked to refuses the command. */
function atMost(wanted: number, limits: string, name: string): number {
  const line = limits.split("\n").find((text) => text.startsWith(name)) ?? "";
  const [, hard = "unlimited"] = line.slice(name.length).trim().split(/\s+/);
  return hard === "unlimited" ? wanted : Math.min(wanted, Number(hard));
}
