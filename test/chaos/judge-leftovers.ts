/** What no play may leave behind on the machine or in the queue: processes, mounts, control groups, folders, leases. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Fault } from "./judge.ts";
import type { Stage } from "./play.ts";

export async function judgeLeftovers(stage: Stage): Promise<Fault[]> {
  const left = [...(await leftFolders(stage)), ...leftProcesses(stage), ...leftMounts(stage), ...leftGroups(stage)];
  return [...left, ...(await leftLeases(stage))].map((what) => ({ what, task: null }));
}

/** Empty runs, and an empty temp folder: mirrors, warm checkouts and caches are meant to stay. */
async function leftFolders({ dir }: Stage): Promise<string[]> {
  const left: string[] = [];
  for (const name of await readdir(join(dir, "data"))) {
    const runs = await readdir(join(dir, "data", name, "runs")).catch(() => []);
    // "turn" is the lock of the folder itself.
    const held = runs.filter((run) => !/^turn(-journal)?$/.test(run));
    if (held.length > 0) left.push(`runs left in ${name}: ${held.join(", ")}`);
  }
  const temporary = await readdir(join(dir, "tmp"));
  if (temporary.length > 0) left.push(`left in the temp folder: ${temporary.join(", ")}`);
  return left;
}

/** Whoever sees the play's folder: by its mounts, where it has its own, by its command, or by where it is and writes. */
function leftProcesses({ dir, members }: Stage): string[] {
  const pids = new Set(members.flatMap(({ incarnations }) => incarnations.map(({ pid }) => pid)));
  const namespace = readlinkSync("/proc/self/ns/mnt");
  return readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .flatMap((pid) => {
      const command = read(() => readFileSync(`/proc/${pid}/cmdline`, "utf8"))
        .replaceAll("\0", " ")
        .trim();
      if (pids.has(Number(pid)) && command.includes("bin/start.mjs"))
        return [`a worker is still alive: ${pid} ${command}`];
      const links = ["cwd", "fd/1"].map((name) => read(() => readlinkSync(`/proc/${pid}/${name}`)));
      const isElsewhere = read(() => readlinkSync(`/proc/${pid}/ns/mnt`)) !== namespace;
      const mounts = isElsewhere ? read(() => readFileSync(`/proc/${pid}/mountinfo`, "utf8")) : "";
      const isOurs = [command, mounts, ...links].some((text) => text.includes(`${dir}/`));
      return isOurs ? [`a process is left: ${pid} ${command}`] : [];
    });
}

function leftMounts({ dir }: Stage): string[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(` ${dir}/`))
    .map((line) => `a mount is left: ${line}`);
}

/** Control groups are named for the worker's process id. */
function leftGroups({ members }: Stage): string[] {
  const pids = members.flatMap(({ incarnations }) => incarnations.map(({ pid }) => pid));
  const names = read(() => readdirSync("/sys/fs/cgroup", { recursive: true, encoding: "utf8" }).join("\n")).split("\n");
  return names
    .filter((name) => pids.some((pid) => new RegExp(`(^|/)pullwright-${pid}-[^/]*$`).test(name)))
    .map((name) => `a control group is left: ${name}`);
}

async function leftLeases({ database }: Stage): Promise<string[]> {
  const left: string[] = [];
  for (const [what, query] of LEASES) {
    const [row] = await database.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${query}`);
    if (row?.count !== 0) left.push(`${row?.count} ${what}`);
  }
  return left;
}

const LEASES = [
  ["jobs have not ended", "pgboss.job WHERE name = 'tasks' AND state < 'completed'"],
  ["places in the waiting line are taken", "pullwright.places"],
  ["runs count as running", "pullwright.runs WHERE state = 'running'"],
  ["packs of ended tasks are kept", "pullwright.checkpoints"],
  ["advisory locks are held", "pg_locks WHERE locktype = 'advisory'"],
] as const;

/** "" for what has ended meanwhile. */
function read<T extends string>(what: () => T): T | "" {
  try {
    return what();
  } catch {
    return "";
  }
}
