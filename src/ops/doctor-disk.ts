/** What this machine's caches and the database take, for doctor: measured, beside the limits that bound it. */
import { execa } from "execa";
import { statfs } from "node:fs/promises";
import { join } from "node:path";
import type { KeepSettings } from "../keep-settings.ts";
import type { Sql } from "../store/database.ts";
import type { Diagnosis } from "./doctor.ts";

const GIB = 1024 ** 3;
/** A run of a middling repository with its packages takes this; below it runs fail for want of room. */
const FREE_BYTES_MIN = 5 * GIB;
/** Where a million files lie `du` takes its time; a diagnosis is for someone who waits. */
const MEASURE_MS_MAX = 60_000;

type Limits = Pick<KeepSettings, "mirrorBytesMax" | "setUpBytesMax">;

export async function diagnoseDisk(dataDir: string, limits: Limits): Promise<readonly Diagnosis[]> {
  const disk = await statfs(dataDir).catch(() => null);
  if (disk === null) return [{ name: "disk", state: "ok", detail: `${dataDir} is not there yet`, remedy: "" }];
  const [free, size] = [disk.bavail * disk.bsize, disk.blocks * disk.bsize];
  const mirrors = await measure(join(dataDir, "mirrors"));
  const setUps = await measure(join(dataDir, "set-ups"));
  const runs = await measure(join(dataDir, "runs"));
  const isFull = free < FREE_BYTES_MIN;
  return [
    {
      name: "disk",
      state: isFull ? "warning" : "ok",
      detail: `${show(free)} of ${show(size)} free in ${dataDir}`,
      remedy: isFull ? "Make room, or set PULLWRIGHT_MIRRORS_GB and PULLWRIGHT_SETUPS_GB lower." : "",
    },
    taken("mirrors", mirrors, limits.mirrorBytesMax ?? size / 2),
    taken("set-ups", setUps, limits.setUpBytesMax),
    { name: "disk: runs", state: "ok", detail: show(runs), remedy: "" },
  ];
}

/** Over its limit a cache is only until the next repository or set-up comes; twice the limit is something else. */
function taken(name: string, bytes: number | null, limit: number): Diagnosis {
  const isOver = bytes !== null && bytes > 2 * limit;
  return {
    name: `disk: ${name}`,
    state: isOver ? "warning" : "ok",
    detail: `${show(bytes)} of at most ${show(limit)}`,
    remedy: isOver ? "Something else writes there, or nothing could be removed: see the worker's log." : "",
  };
}

/** Bytes on the disk below a folder; 0 when it is not there, null when it took too long. */
async function measure(dir: string): Promise<number | null> {
  const { stdout, timedOut } = await execa("du", ["-sk", "--", dir], { reject: false, timeout: MEASURE_MS_MAX });
  if (timedOut) return null;
  // du fails when a file goes away while it counts, and says what it has counted all the same.
  return (Number.parseInt(stdout ?? "", 10) || 0) * 1024;
}

/** The whole database and its largest tables of ours, indexes and long values included. */
export async function describeTables(sql: Sql): Promise<string> {
  const rows = await sql.query<{ name: string; bytes: number }>(
    `SELECT relname AS name, pg_total_relation_size(c.oid)::float8 AS bytes FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
     WHERE nspname IN ('pullwright', 'pgboss') AND relkind = 'r' ORDER BY bytes DESC LIMIT 3`,
  );
  const [total] = await sql.query<{ bytes: number }>("SELECT pg_database_size(current_database())::float8 AS bytes");
  return [`${show(total?.bytes ?? null)} in all`, ...rows.map(({ name, bytes }) => `${name} ${show(bytes)}`)].join(
    ", ",
  );
}

function show(bytes: number | null): string {
  if (bytes === null) return "too much to count";
  return bytes >= GIB / 10 ? `${(bytes / GIB).toFixed(1)} GiB` : `${Math.ceil(bytes / 1024 ** 2)} MiB`;
}
