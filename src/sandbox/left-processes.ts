/**
 * Ends what a killed worker's sandboxes left alive. They die with their worker, but for two holes: the moments before bubblewrap has
 * asked the kernel for that, and a command that takes bubblewrap's process 1 over by ptrace and revokes it.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { killQuietly } from "./process-tree.ts";

/** One round ends a namespace with all in it; more are for launchers that were about to make one. */
const ROUNDS_MAX = 20;
const ROUND_MS = 10;

/**
 * Processes that see, or speak through, the state folder `name`. Inside, no command can change its mounts; before the mounts are
 * made only our own code runs, with our pipes.
 */
export async function endProcessesOf(name: string): Promise<void> {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const found = readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && belongsTo(pid, name));
    if (found.length === 0) return;
    for (const pid of found) killQuietly(Number(pid));
    await delay(ROUND_MS);
  }
}

function belongsTo(pid: string, name: string): boolean {
  if (Number(pid) === process.pid) return false;
  return read(() => readFileSync(`/proc/${pid}/mountinfo`, "utf8")).includes(`/${name}/`) || speaksThrough(pid, name);
}

function speaksThrough(pid: string, name: string): boolean {
  return read(() => readlinkSync(`/proc/${pid}/fd/1`)).includes(`/${name}/`);
}

/** "" for a process that has ended, or is another user's. */
function read(what: () => string): string {
  try {
    return what();
  } catch (error) {
    if (error instanceof Error && "code" in error) return "";
    throw error;
  }
}
