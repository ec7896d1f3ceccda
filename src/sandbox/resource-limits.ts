/** The limits that a process carries itself, as `prlimit` arguments. */
import { readFileSync } from "node:fs";
import type { SandboxLimits } from "./sandbox.ts";

/** Enough for bundlers and file watchers; select() breaks far above. */
const OPEN_FILES_MAX = 4096;

/**
 * Processes are counted inside the user namespace, so per command. No limit on data or address space: Node 24 reserves half
 * a gigabyte for each worker thread without touching it, and under RLIMIT_DATA of 1 GiB no thread starts.
 */
export function limitedCommand(argv: readonly string[], limits: SandboxLimits): string[] {
  const hard = readFileSync("/proc/self/limits", "utf8");
  return [
    "prlimit",
    `--nproc=${atMost(limits.processesMax, hard, "Max processes")}`,
    `--nofile=${atMost(OPEN_FILES_MAX, hard, "Max open files")}`,
    `--fsize=${atMost(limits.fileBytesMax, hard, "Max file size")}`,
    ...["--core=0", "--", ...argv],
  ];
}

/** Nobody may raise a hard limit, and prlimit refuses the command if asked to. */
function atMost(wanted: number, limits: string, name: string): number {
  const line = limits.split("\n").find((text) => text.startsWith(name)) ?? "";
  const [, hard = "unlimited"] = line.slice(name.length).trim().split(/\s+/);
  return hard === "unlimited" ? wanted : Math.min(wanted, Number(hard));
}
