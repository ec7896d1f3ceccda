/** Before all tests: one real PostgreSQL, and in it a template with every table, which a test copies in tens of milliseconds. */
import { existsSync } from "node:fs";
import { chmod, mkdtemp, readdir, rm, stat, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    readonly databaseServerUrl: string;
  }
}

const PREFIX = "pullwright-test-";
/** What a run of all tests needs, some times over; Docker's /dev/shm has 64 MB. */
const ROOM_BYTES = 2_000_000_000;

export const TEMPLATE = "pullwright_template";

export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  if (Number.parseInt(process.versions.node) < 24) {
    console.warn(
      "This is Node %s: tests that need the database will fail. Use `npm test` or `npx vitest`.",
      process.version,
    );
    return undefined;
  }
  const { openDatabase } = await import("../src/store/database.ts"); // Here, because an older Node cannot load them.
  const { Queue } = await import("../src/queue/queue.ts");
  const { startEmbedded } = await import("../src/store/embedded.ts");
  const { tryExclusive } = await import("../src/file-lock.ts");

  const folder = await roomyFolder();
  for (const name of await readdir(folder)) if (name.startsWith(PREFIX)) await sweep(join(folder, name));
  const dataDir = await mkdtemp(join(folder, PREFIX));
  await chmod(dataDir, 0o711); // The server may have to run as another user.
  const server = await startEmbedded({ dataDir });

  // The databases of a test run are thrown away: nothing here needs to survive a power cut.
  await using admin = await openDatabase({ databaseUrl: server.url, dataDir });
  await admin.query("ALTER SYSTEM SET fsync = off");
  await admin.query("ALTER SYSTEM SET synchronous_commit = off");
  await admin.query("ALTER SYSTEM SET full_page_writes = off");
  await admin.query("SELECT pg_reload_conf()");
  await admin.query(`CREATE DATABASE ${TEMPLATE}`);
  await using template = await openDatabase({ databaseUrl: databaseUrl(server.url, TEMPLATE), dataDir });
  const queue = await Queue.open({
    url: template.url,
    transaction: (fn) => template.transaction(fn),
    listen: (channel, hear) => template.listen(channel, hear),
    onError: (error) => console.error(error),
  });
  await queue.stop({ graceMs: 0 });
  await template.close(); // A template that someone is connected to cannot be copied.

  project.provide("databaseServerUrl", server.url);
  return async () => {
    await server.release();
    await rm(dataDir, { recursive: true, force: true });
  };

  /** A test run that was killed left its server behind. One that still runs holds the lock. */
  async function sweep(left: string): Promise<void> {
    const lock = join(left, "postgres", "users.lock");
    if (!existsSync(lock) || (await stat(left)).uid !== process.getuid?.()) return; // Another user's is theirs to sweep.
    const unused = tryExclusive(lock);
    if (!unused) return;
    unused.release();
    const isServed = existsSync(join(left, "postgres", "data", "postmaster.pid"));
    if (isServed) await startEmbedded({ dataDir: left }).then((orphan) => orphan.release());
    await rm(left, { recursive: true, force: true });
  }
}

/** Memory where there is enough: on a busy disk the copy of a template takes ten times as long. */
export async function roomyFolder(): Promise<string> {
  const memory = await statfs("/dev/shm").catch(() => null); // Linux only.
  return memory && memory.bavail * memory.bsize > ROOM_BYTES ? "/dev/shm" : tmpdir();
}

/** The same server, another database. */
export function databaseUrl(serverUrl: string, name: string): string {
  return serverUrl.replace(/\/[^/]*$/, `/${name}`);
}
