/** Where control groups of ours may go: below the group this process is in, so that its own limits stay in force. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

export type CgroupPlace = {
  readonly version: "v1" | "v2";
  /** Folders that hold our groups; the same one in v2. */
  readonly memoryDir: string;
  readonly processesDir: string;
};

/** Places worth trying, best first. Whether they are writable shows when a group is made. */
export async function readCgroupPlaces(): Promise<readonly CgroupPlace[]> {
  const [membership, mounts] = await Promise.all([
    readFile("/proc/self/cgroup", "utf8").catch(() => ""), // A kernel without control groups.
    readFile("/proc/self/mountinfo", "utf8"),
  ]);
  return [...(await delegatedPlaces(membership, mounts)), ...oldPlaces(membership, mounts)];
}

async function delegatedPlaces(membership: string, mounts: string): Promise<CgroupPlace[]> {
  const folder = ownFolder(membership, mounts, null);
  if (folder === null || !(await handsDownControllers(folder))) return [];
  return [{ version: "v2", memoryDir: folder, processesDir: folder }];
}

function oldPlaces(membership: string, mounts: string): CgroupPlace[] {
  const memoryDir = ownFolder(membership, mounts, "memory");
  const processesDir = ownFolder(membership, mounts, "pids");
  if (memoryDir === null || processesDir === null) return [];
  return [{ version: "v1", memoryDir, processesDir }];
}

/** `controller` null means the one hierarchy of v2. */
export function ownFolder(membership: string, mounts: string, controller: string | null): string | null {
  const line = membership.split("\n").find((line) => {
    const [, controllers = ""] = line.split(":");
    return controller === null ? line.startsWith("0::") : controllers.split(",").includes(controller);
  });
  const own = line?.split(":").slice(2).join(":");
  if (own === undefined) return null;
  for (const mount of mounts.split("\n")) {
    const [before = "", after = ""] = mount.split(" - ");
    const [, , , root = "/", point = ""] = before.split(" ");
    const [type, , options = ""] = after.split(" ");
    const isIt =
      controller === null ? type === "cgroup2" : type === "cgroup" && options.split(",").includes(controller);
    // Inside a container the mount may show only our part of the hierarchy.
    if (isIt) return join(point, own === root ? "" : own.startsWith(`${root}/`) ? own.slice(root.length) : own);
  }
  return null;
}

/** v2 gives limits to the children of a group only when no process is in the group itself; so we step one down. */
async function handsDownControllers(folder: string): Promise<boolean> {
  try {
    const controllers = await readFile(join(folder, "cgroup.controllers"), "utf8");
    if (!holdsBoth(controllers)) return false;
    const control = join(folder, "cgroup.subtree_control");
    if (holdsBoth(await readFile(control, "utf8"))) return true;
    const server = join(folder, "pullwright-server");
    await mkdir(server, { recursive: true });
    const members = (await readFile(join(folder, "cgroup.procs"), "utf8")).split("\n").filter((pid) => pid !== "");
    for (const pid of members) await writeFile(join(server, "cgroup.procs"), pid);
    await writeFile(control, "+memory +pids");
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error) return false; // Not delegated to us.
    throw error;
  }
}

function holdsBoth(controllers: string): boolean {
  const names = controllers.trim().split(" ");
  return names.includes("memory") && names.includes("pids");
}
