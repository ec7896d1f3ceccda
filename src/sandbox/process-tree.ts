/** Reads /proc to end and to weigh the processes of one sandbox, seen from its process 1. */
import { type Stats, readdirSync, readFileSync, statSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** A namespace whose process 1 is killed is gone in a few milliseconds; this long only on a stuck disk. */
const GONE_WAIT_MS = 10_000;
const GONE_POLL_MS = 1;
/** RLIMIT_NPROC holds a sandbox far below this. */
const TREE_PROCESSES_MAX = 10_000;

/** SIGKILL for a namespace's process 1, and with it for all in the namespace. Does nothing to a reused process id. */
export function killNamespace(pid: number): void {
  if (isNamespaceAlive(pid)) killQuietly(pid);
}

/** False when processes of the namespace are still there after a long wait. */
export async function waitUntilNamespaceGone(pid: number): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < GONE_WAIT_MS; waitedMs += GONE_POLL_MS) {
    if (!isNamespaceAlive(pid)) return true;
    await delay(GONE_POLL_MS);
  }
  return false;
}

/** For a process or, negative, a process group; one that has ended already is fine. */
export function killQuietly(pid: number, signal: "SIGKILL" | "SIGTERM" = "SIGKILL"): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!hasCode(error, "ESRCH") && !hasCode(error, "EPERM")) throw error;
  }
}

/** Resident bytes of the process and all below it; file pages do not count, the kernel can take them back. */
export function residentBytes(pid: number): number {
  return treeOf(pid).reduce((bytes, next) => {
    const status = readQuietly(`/proc/${next}/status`);
    return bytes + kibibytes(status, "RssAnon") + kibibytes(status, "RssShmem");
  }, 0);
}

/** Bytes on one disk of files that the processes and all below them hold open though no folder names them any more. */
export function unlinkedBytes(roots: number | readonly number[], device: number): number {
  const sizes = new Map<number, number>();
  for (const next of [roots].flat().flatMap(treeOf)) {
    for (const fd of listQuietly(`/proc/${next}/fd`)) {
      const stats = statQuietly(`/proc/${next}/fd/${fd}`);
      if (stats?.dev === device && stats.nlink === 0) sizes.set(stats.ino, stats.blocks * 512);
    }
  }
  return [...sizes.values()].reduce((all, bytes) => all + bytes, 0);
}

function treeOf(pid: number): readonly number[] {
  const tree = [pid];
  for (let at = 0; at < tree.length && at < TREE_PROCESSES_MAX; at++) tree.push(...childrenOf(tree[at] ?? 0));
  return tree;
}

/** Process 1 of a namespace shows as "NSpid: 4711 1"; a zombie one has already taken all others with it. */
function isNamespaceAlive(pid: number): boolean {
  const status = readQuietly(`/proc/${pid}/status`);
  return /^NSpid:.*\t1$/m.test(status) && !/^State:\s+[ZX]/m.test(status);
}

function childrenOf(pid: number): number[] {
  return listQuietly(`/proc/${pid}/task`)
    .flatMap((thread) => readQuietly(`/proc/${pid}/task/${thread}/children`).split(" "))
    .filter((child) => child !== "")
    .map(Number);
}

function kibibytes(status: string, name: string): number {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status);
  return Number(found?.[1] ?? 0) * 1024;
}

/** It may end at any moment, and with hidepid the kernel then answers EACCES or EPERM. */
function readQuietly(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error) return "";
    throw error;
  }
}

function listQuietly(path: string): string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if (error instanceof Error && "code" in error) return [];
    throw error;
  }
}

function statQuietly(path: string): Stats | null {
  try {
    return statSync(path);
  } catch (error) {
    if (error instanceof Error && "code" in error) return null;
    throw error;
  }
}

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
