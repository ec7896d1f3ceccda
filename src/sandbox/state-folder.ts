/** A session's own folder on the host: pipes, and what the sandbox sees as /etc. */
import { lchown, lstat, mkdir, readdir, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endProcessesOf } from "./left-processes.ts";
import { isSandboxUid } from "./owner.ts";
import { isLeftByDeadWorker, newWorkerName } from "./worker-name.ts";

export async function makeStateFolder(): Promise<string> {
  const folder = join(await realpath(tmpdir()), newWorkerName());
  await mkdir(folder, { mode: 0o700 });
  return folder;
}

/** Before anything runs that could put a link into it. Some twenty entries: a `chown -R` would be a process for them. */
export async function giveStateFolder(folder: string, uid: number): Promise<void> {
  const names = await readdir(folder, { recursive: true });
  await Promise.all([folder, ...names.map((name) => join(folder, name))].map((path) => lchown(path, uid, uid)));
}

/** Ends their processes too. Only folders of our own users: anybody may put one of that name into /tmp. */
export async function removeLeftStateFolders(): Promise<void> {
  const parent = await realpath(tmpdir());
  for (const name of (await readdir(parent)).filter(isLeftByDeadWorker)) {
    const stats = await lstat(join(parent, name)).catch(() => null); // Another worker removes them as well.
    if (stats === null || !isOurs(stats.uid)) continue;
    const folder = join(parent, name);
    // Without its /etc no launcher gets further; the folder goes last, as the sign that there may be somebody.
    await rm(join(folder, "etc"), { recursive: true, force: true });
    await endProcessesOf(name);
    await rm(folder, { recursive: true, force: true });
  }
}

/** What a worker of root gave to a sandbox's user is for root alone to remove. */
function isOurs(uid: number): boolean {
  const own = process.getuid?.();
  return uid === own || (own === 0 && isSandboxUid(uid));
}
