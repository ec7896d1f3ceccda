/** kill -9 at any moment: the next start finds nothing that a dead worker held, and everything that it needs. */
import { execa } from "execa";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { tryExclusive } from "../../src/file-lock.ts";
import { Mirrors } from "../../src/workspace/mirror.ts";
import { prepareSpare } from "../../src/workspace/spare.ts";
import { Workspace } from "../../src/workspace/workspace.ts";
import { mulberry32 } from "../patch/random.ts";
import { GIT_ENV, openRepository } from "./repository.ts";
import { readWholeTree, ROADS } from "./whole-tree.ts";

const signal = new AbortController().signal;
const FILES = Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`part-${i % 20}/${i}.txt`, `${i}\n`]));
const KILLS = 8;
/** An opening takes less; the last kills hit the second or third. */
const LATEST_MS = 400;

/** Working directories of all processes that we may ask. */
async function folders(): Promise<readonly string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  return Promise.all(pids.map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => "")));
}

test.each(ROADS)("by $road nothing is left of a worker killed at any moment", { timeout: 120_000 }, async (road) => {
  await using repository = await openRepository(FILES);
  const runsDir = join(repository.dir, "runs");
  const sha = repository.commits[0] ?? "";
  const args = [repository.mirror.gitDir, sha, runsDir, String(road.overlayFilesMin)];
  const random = mulberry32(11);
  for (let kill = 0; kill < KILLS; kill++) {
    const worker = spawn(process.execPath, [join(import.meta.dirname, "churner.ts"), ...args], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(createInterface(worker.stdout), "line");
    await delay(random.below(LATEST_MS));
    worker.kill("SIGKILL");
    await once(worker, "exit");
    await Workspace.sweep(runsDir);
    expect((await readFile("/proc/self/mountinfo", "utf8")).includes(runsDir)).toBe(false);
    const left = await readdir(runsDir).catch(() => []); // Not there yet when it died at once.
    expect(left.filter((name) => !/^turn(-journal)?$/.test(name))).toEqual([]);
    expect((await folders()).filter((folder) => folder.startsWith(runsDir))).toEqual([]);
  }
  const opening = { mirror: repository.mirror, sha, runsDir, overlayFilesMin: road.overlayFilesMin };
  if (road.road === "checkout") await prepareSpare(opening, signal);
  for (let run = 0; run < 2; run++) {
    await using workspace = await Workspace.open(opening, signal);
    expect(Object.keys(await readWholeTree(workspace.treeDir))).toEqual(Object.keys(FILES).toSorted());
    const inside = { cwd: workspace.treeDir, env: GIT_ENV, extendEnv: false };
    expect((await execa("git", ["-c", "safe.directory=*", "status", "--porcelain"], inside)).stdout).toBe("");
  }
});

test("a git that goes on without its worker is ended", async () => {
  await using repository = await openRepository({ "a.txt": "a\n" });
  const runsDir = join(repository.dir, "runs");
  const tree = join(runsDir, "0123456789abcdef01/tree");
  await mkdir(tree, { recursive: true });
  const orphan = spawn("git", ["hash-object", "--stdin"], { cwd: tree, stdio: ["pipe", "ignore", "ignore"] });
  await once(orphan, "spawn");
  const ended = once(orphan, "exit");
  await Workspace.sweep(runsDir);
  expect(await ended).toEqual([null, "SIGKILL"]);
  expect(await readdir(runsDir)).toEqual(["turn"]);
});

test("a probe for overlays that its worker did not end is ended, one that goes on is not", async (it) => {
  it.skip(process.getuid?.() !== 0, "only root mounts");
  await using repository = await openRepository({ "a.txt": "a\n" });
  const mirrors = join(repository.dir, "mirrors");
  const mounts = ["1.probe", "2.probe"].map((name) => join(mirrors, name, "run/tree"));
  for (const path of mounts) {
    await mkdir(path, { recursive: true });
    await execa("mount", ["-t", "tmpfs", "pullwright-test", path]);
  }
  const live = tryExclusive(join(mirrors, "2.probe.turn"));
  await new Mirrors(mirrors).sweep();
  const mounted = await readFile("/proc/self/mountinfo", "utf8");
  expect(mounts.map((path) => mounted.includes(path))).toEqual([false, true]);
  live?.release();
  await new Mirrors(mirrors).sweep();
  expect((await readdir(mirrors)).filter((name) => name.endsWith(".probe"))).toEqual([]);
});
