/** How often the kernel has ended a process of a container for memory, from its control group on this machine. */
import { readFileSync } from "node:fs";
import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { ownFolder } from "./cgroup-place.ts";

/**
 * The file that counts; null where the group is not seen, as from inside another container: a command that ran out of memory is then
 * told as one that SIGKILL ended.
 */
export async function findOomFile(pid: number): Promise<string | null> {
  const [membership, mounts] = await Promise.all([
    readFile(`/proc/${pid}/cgroup`, "utf8").catch(() => ""),
    readFile("/proc/self/mountinfo", "utf8"),
  ]);
  const [old, unified] = [ownFolder(membership, mounts, "memory"), ownFolder(membership, mounts, null)];
  const files = [
    ...(old === null ? [] : [join(old, "memory.oom_control")]),
    ...(unified === null ? [] : [join(unified, "memory.events")]),
  ];
  for (const file of files) {
    const isThere = await access(file).then(
      () => true,
      () => false,
    );
    if (isThere) return file;
  }
  return null;
}

/** 0 when the group is gone, too. */
export function readOomKills(file: string | null): number {
  if (file === null) return 0;
  try {
    return Number(/^oom_kill (\d+)$/m.exec(readFileSync(file, "utf8"))?.[1] ?? 0);
  } catch (error) {
    if (error instanceof Error && "code" in error) return 0;
    throw error;
  }
}
