/** Ends what a killed worker had running in a run's folder: git on the host goes on without the worker that started it. */
import { readdir, readlink } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { killQuietly } from "../sandbox/process-tree.ts";

/** Looked for until none is left: git starts git. */
const ROUNDS_MAX = 20;
const ROUND_MS = 10;

/** `dir` must be a run's that nobody holds any more. Sandboxed commands have other folders and other ends. */
export async function endProcessesIn(dir: string): Promise<void> {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const found = await findProcessesIn(dir);
    if (found.length === 0) return;
    for (const pid of found) killQuietly(pid);
    await delay(ROUND_MS);
  }
}

async function findProcessesIn(dir: string): Promise<readonly number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid) => {
      // Another user's, or gone meanwhile.
      const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => "");
      return pid !== process.pid && (cwd === dir || cwd.startsWith(`${dir}/`)) ? [pid] : [];
    }),
  );
  return found.flat();
}
