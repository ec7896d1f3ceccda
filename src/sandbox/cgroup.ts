/** Kernel limits on memory and processes of one session, where this machine lets us make control groups. */
import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type CgroupPlace, readCgroupPlaces } from "./cgroup-place.ts";
import { hasCode, killQuietly } from "./process-tree.ts";
import type { SandboxLimits } from "./sandbox.ts";
import { isLeftByDeadWorker, newWorkerName } from "./worker-name.ts";

type CgroupLimits = Pick<SandboxLimits, "memoryBytes" | "processesMax">;

/** The launcher, setpriv and bubblewrap's two processes, beside the command's own. */
const LAUNCHER_PROCESSES = 8;
/** An ended process leaves its group a moment after it is reaped. */
const REMOVE_TRIES_MAX = 50;
const REMOVE_RETRY_MS = 10;

export class Cgroup {
  readonly #place: CgroupPlace;
  readonly #folders: readonly string[];

  private constructor(place: CgroupPlace, folders: readonly string[]) {
    this.#place = place;
    this.#folders = folders;
  }

  /** Throws what the file system throws when it is not ours to make. */
  static async open(place: CgroupPlace, name: string, limits: CgroupLimits): Promise<Cgroup> {
    const cgroup = new Cgroup(
      place,
      [...new Set([place.memoryDir, place.processesDir])].map((folder) => join(folder, name)),
    );
    try {
      for (const folder of cgroup.#folders) await mkdir(folder);
      await cgroup.#limit(join(place.memoryDir, name), join(place.processesDir, name), limits);
      return cgroup;
    } catch (error) {
      await cgroup.close();
      throw error;
    }
  }

  /**
   * Files a process with one thread writes "0" to in order to join. In v1 as a thread: the kernel then takes no lock over
   * all forks of the machine, for which a process waited 6 to 10 ms.
   */
  get joins(): readonly string[] {
    const file = this.#place.version === "v2" ? "cgroup.procs" : "tasks";
    return this.#folders.map((folder) => join(folder, file));
  }

  /** How often the kernel has ended a process of it for memory. */
  oomKills(): number {
    const file = this.#place.version === "v2" ? "memory.events" : "memory.oom_control";
    const text = readFileSync(join(this.#memoryFolder(), file), "utf8");
    return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
  }

  /** The second line after the process namespace: whoever is in it besides `spared` dies. In v2 then `spared` too. */
  kill(spared: number | null): void {
    try {
      const members = readFileSync(join(this.#memoryFolder(), "cgroup.procs"), "utf8").split("\n");
      const others = members.filter((pid) => pid !== "" && Number(pid) !== spared);
      if (others.length === 0) return;
      // At once: one by one, those that fork could win.
      if (this.#place.version === "v2") return writeFileSync(join(this.#memoryFolder(), "cgroup.kill"), "1");
      for (const pid of others) killQuietly(Number(pid));
    } catch (error) {
      // Before Linux 5.14 there is no cgroup.kill; and an administrator may have removed the group.
      if (!hasCode(error, "ENOENT") && !hasCode(error, "ENODEV") && !hasCode(error, "EACCES")) throw error;
    }
  }

  async close(): Promise<void> {
    for (const folder of this.#folders) await removeCgroup(folder);
  }

  #memoryFolder(): string {
    return this.#folders[0] ?? this.#place.memoryDir;
  }

  async #limit(memoryDir: string, processesDir: string, limits: CgroupLimits): Promise<void> {
    const bytes = String(limits.memoryBytes);
    await writeFile(join(processesDir, "pids.max"), String(limits.processesMax + LAUNCHER_PROCESSES));
    if (this.#place.version === "v2") {
      await writeFile(join(memoryDir, "memory.max"), bytes);
      // Without it a command with a leak pushes everybody else's pages out first.
      await writeIfPresent(join(memoryDir, "memory.swap.max"), "0");
      // All of it or nothing: half a killed test run gives results nobody can read.
      await writeIfPresent(join(memoryDir, "memory.oom.group"), "1");
      return;
    }
    await writeFile(join(memoryDir, "memory.limit_in_bytes"), bytes);
    await writeIfPresent(join(memoryDir, "memory.memsw.limit_in_bytes"), bytes);
  }
}

/** The first place where a group with limits can be made; null when there is none. Removes what dead workers left. */
export async function findCgroupPlace(): Promise<CgroupPlace | null> {
  for (const place of await readCgroupPlaces()) {
    for (const folder of new Set([place.memoryDir, place.processesDir])) await removeLeftOvers(folder);
    if (await canMakeGroup(place)) return place;
  }
  return null;
}

async function canMakeGroup(place: CgroupPlace): Promise<boolean> {
  const limits = { memoryBytes: 1 << 26, processesMax: 1 };
  try {
    const probe = await Cgroup.open(place, newWorkerName(), limits);
    await probe.close();
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error) return false; // Not writable, not delegated, no such controller.
    throw error;
  }
}

async function removeLeftOvers(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names.filter(isLeftByDeadWorker)) await removeCgroup(join(folder, name));
}

/** Best effort: one that stays busy is removed at the next start. */
async function removeCgroup(folder: string): Promise<void> {
  for (let tries = 0; tries < REMOVE_TRIES_MAX; tries++) {
    try {
      return await rmdir(folder);
    } catch (error) {
      if (!hasCode(error, "EBUSY")) return;
      await killMembers(folder);
      await delay(REMOVE_RETRY_MS);
    }
  }
}

async function killMembers(folder: string): Promise<void> {
  const members = await readFile(join(folder, "cgroup.procs"), "utf8").catch(() => "");
  for (const pid of members.split("\n")) if (pid !== "") killQuietly(Number(pid));
}

async function writeIfPresent(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text, { flag: "r+" });
  } catch (error) {
    if (!hasCode(error, "ENOENT") && !hasCode(error, "EACCES")) throw error;
  }
}
