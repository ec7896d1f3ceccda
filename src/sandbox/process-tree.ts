/** Reads /proc to end and to weigh the processes of one sandbox, seen from its process 1. */
import { readdirSync, readFileSync } from "node:fs";
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

/** SIGKILL for a process or, negative, a process group; one that has ended already is fine. */
export function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!hasCode(error, "ESRCH") && !hasCode(error, "EPERM")) throw error;
  }
}

/** Resident bytes of the process and all below it; file pages do not count, the kernel can take them back. */
export function residentBytes(pid: number): number {
  let bytes = 0;
  const waiting = [pid];
  for (let seen = 0; seen < TREE_PROCESSES_MAX; seen++) {
    const next = waiting.pop();
    if (next === undefined) break;
    const status = readQuietly(`/proc/${next}/status`);
    bytes += kibibytes(status, "RssAnon") + kibibytes(status, "RssShmem");
    waiting.push(...childrenOf(next));
  }
  return bytes;
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

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
