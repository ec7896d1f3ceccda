/**
 * A control group that counts the CPU of a process tree, whoever waits for whom: bubblewrap leaves the first process of its namespace
 * to init, so what `times` and getrusage count lacks the sandboxed command.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";

export type CpuGroup = {
  /** Written "0" to by a process that joins. */
  readonly joinFile: string;
  readonly readMs: () => number;
  readonly remove: () => void;
};

const ROOT = "/sys/fs/cgroup";

/** Null where control groups cannot be made, as for an ordinary user without delegation. */
export function openCpuGroup(name: string): CpuGroup | null {
  const membership = readFileSync("/proc/self/cgroup", "utf8").split("\n");
  const isUnified = existsSync(join(ROOT, "cgroup.controllers"));
  const line = membership.find((one) => (isUnified ? one.startsWith("0::") : /^\d+:[^:]*\bcpuacct\b[^:]*:/.test(one)));
  if (line === undefined) return null;
  const folder = join(ROOT, isUnified ? "" : "cpuacct", line.split(":").slice(2).join(":"), name);
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    if (error instanceof Error && "code" in error) return null;
    throw error;
  }
  return {
    joinFile: join(folder, "cgroup.procs"),
    readMs: () => (isUnified ? readUnified(folder) : Number(readFileSync(join(folder, "cpuacct.usage"), "utf8")) / 1e6),
    remove: () => removeGroup(folder),
  };
}

function readUnified(folder: string): number {
  return Number(/usage_usec (\d+)/.exec(readFileSync(join(folder, "cpu.stat"), "utf8"))?.[1]) / 1000;
}

/** Its files are the kernel's; only folders are removed. One that a process is still in stays, and is of no harm. */
function removeGroup(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeGroup(join(folder, entry.name));
  }
  try {
    rmdirSync(folder);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EBUSY") return;
    throw error;
  }
}
