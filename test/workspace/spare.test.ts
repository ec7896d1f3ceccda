/** Checkouts that wait for a run where no overlay is mounted. */
import { execa } from "execa";
import { existsSync } from "node:fs";
import { lstat, mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { restoreCheckpoint, takeCheckpoint } from "../../src/workspace/checkpoint.ts";
import { listChanges, snapshot } from "../../src/workspace/snapshot.ts";
import { deservesSpare, prepareSpare } from "../../src/workspace/spare.ts";
import { Workspace } from "../../src/workspace/workspace.ts";
import { GIT_ENV, openRepository, type TestRepository } from "./repository.ts";
import { readWholeTree } from "./whole-tree.ts";

const signal = new AbortController().signal;
const FIRST = { "a.txt": "one\n", "src/deep/b.ts": "b\n", "src/c.ts": "c\n", "docs/d.md": "d\n" };
const SECOND = { "a.txt": "two\n", "src/c.ts": "c\n", "src/e.ts": "e\n", docs: "now a file\n" };

function openOn({ mirror, dir, commits }: TestRepository, index: number) {
  const sha = commits[index] ?? "";
  return Workspace.open({ mirror, sha, runsDir: join(dir, "runs"), overlayFilesMin: Infinity }, signal);
}

function prepare({ mirror, commits }: TestRepository, index: number) {
  return prepareSpare({ mirror, sha: commits[index] ?? "" }, signal);
}

async function inside(workspace: Workspace, ...args: string[]): Promise<string> {
  const options = { cwd: workspace.treeDir, env: GIT_ENV, extendEnv: false };
  return (await execa("git", ["-c", "safe.directory=*", ...args], options)).stdout;
}

test("a waiting checkout is moved to one run, and the next one writes its own", async () => {
  await using repository = await openRepository(FIRST);
  await prepare(repository, 0);
  const { ino } = await lstat(join(repository.dir, "mirror.warm/spare/tree/a.txt"));
  await using first = await openOn(repository, 0);
  await using second = await openOn(repository, 0);
  expect((await lstat(join(first.treeDir, "a.txt"))).ino).toBe(ino);
  expect(existsSync(join(repository.dir, "mirror.warm/spare"))).toBe(false);
  expect((await readdir(first.gitDir)).filter((name) => name.startsWith("sharedindex."))).toHaveLength(1);
  expect(await deservesSpare(first.treeDir, 4)).toBe(true);
  for (const workspace of [first, second]) {
    expect(await inside(workspace, "status", "--porcelain")).toBe("");
    expect(await inside(workspace, "log", "--format=%s")).toBe("commit 1");
    const start = await takeCheckpoint(workspace, signal);
    await writeFile(join(workspace.treeDir, "a.txt"), "mine\n");
    const tree = await snapshot(workspace, signal);
    expect((await listChanges(workspace.place, workspace.baseSha, tree)).map(({ path }) => path)).toEqual(["a.txt"]);
    await restoreCheckpoint(workspace, start, signal);
  }
  expect(await readWholeTree(first.treeDir)).toEqual(await readWholeTree(second.treeDir));
});

test("what the base has moved on by is written into it, for its owner", async () => {
  await using repository = await openRepository(FIRST, SECOND);
  await prepare(repository, 0);
  await using moved = await openOn(repository, 1);
  await using written = await openOn(repository, 1);
  expect(await readWholeTree(moved.treeDir)).toEqual(await readWholeTree(written.treeDir));
  const uid = moved.owner ?? process.getuid?.() ?? 0;
  expect((await execa("find", [moved.treeDir, "!", "-uid", String(uid)])).stdout).toBe("");
  expect(await inside(moved, "status", "--porcelain")).toBe("");
  expect(await inside(moved, "log", "--format=%s")).toBe("commit 2\ncommit 1");
  const tree = await snapshot(moved, signal);
  expect(await listChanges(moved.place, moved.baseSha, tree)).toEqual([]);
});

test("one that an earlier version made is taken as well, and one that this version made has what that one takes", async () => {
  await using repository = await openRepository(FIRST);
  await prepare(repository, 0);
  const spare = join(repository.dir, "mirror.warm/spare");
  for (const name of await readdir(spare)) if (/split|shared/.test(name)) await rm(join(spare, name));
  await using workspace = await openOn(repository, 0);
  expect(existsSync(spare)).toBe(false);
  expect(await inside(workspace, "status", "--porcelain")).toBe("");
  expect(await listChanges(workspace.place, workspace.baseSha, await snapshot(workspace, signal))).toEqual([]);
});

test("one of a commit that the mirror no longer has is thrown away", async () => {
  await using repository = await openRepository(FIRST);
  await prepare(repository, 0);
  await writeFile(join(repository.dir, "mirror.warm/spare/commit"), "0".repeat(40));
  await using workspace = await openOn(repository, 0);
  expect(await inside(workspace, "status", "--porcelain")).toBe("");
  expect(existsSync(join(repository.dir, "mirror.warm/spare"))).toBe(false);
});

test("one that a dead worker left half-written is written anew, and a second is not written", async () => {
  await using repository = await openRepository(FIRST);
  const warmDir = join(repository.dir, "mirror.warm");
  await mkdir(join(warmDir, "spare.new/tree"), { recursive: true });
  await writeFile(join(warmDir, "spare.new/tree/left"), "left\n");
  await prepare(repository, 0);
  const { ino } = await lstat(join(warmDir, "spare"));
  await prepare(repository, 0);
  expect((await lstat(join(warmDir, "spare"))).ino).toBe(ino);
  await using workspace = await openOn(repository, 0);
  expect(Object.keys(await readWholeTree(workspace.treeDir))).toEqual(Object.keys(FIRST).toSorted());
});

test("a worker that dies between taking one and moving it leaves nothing behind", async () => {
  await using repository = await openRepository(FIRST);
  await prepare(repository, 0);
  const runsDir = join(repository.dir, "runs");
  const left = join(runsDir, "0123456789abcdef01");
  await mkdir(left, { recursive: true });
  await rename(join(repository.dir, "mirror.warm/spare"), join(left, "spare"));
  await Workspace.sweep(runsDir);
  expect(existsSync(left)).toBe(false);
});
