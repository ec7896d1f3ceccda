/** A mirror without files, against a server that speaks git over HTTP. */
import { execa } from "execa";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { TransientError } from "../../src/failure.ts";
import { fillCommits, isBlobless } from "../../src/workspace/blobless.ts";
import { restoreCheckpoint, takeCheckpoint } from "../../src/workspace/checkpoint.ts";
import { gitOverNetwork } from "../../src/workspace/git.ts";
import { keepCommit, mergeBase, Mirrors, resolveCommit } from "../../src/workspace/mirror.ts";
import { commitTree, listChanges, readDiff, snapshot } from "../../src/workspace/snapshot.ts";
import { Workspace } from "../../src/workspace/workspace.ts";
import { openGitHub, REPO } from "../github.ts";
import { GIT_ENV } from "./repository.ts";
import { ROADS } from "./whole-tree.ts";

const signal = new AbortController().signal;
const IDENTITY = { name: "pullwright[bot]", email: "bot@example.com" };
const repo = { installationId: 1, id: 7, owner: "acme", name: "widget", defaultBranch: "main" };

async function openScene() {
  await using stack = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "pw-blobless-"));
  await chmod(dir, 0o711);
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  const github = stack.use(await openGitHub({ "a.txt": "one\n", "old.txt": "old\n", "src/b.txt": "b\n" }));
  const commit = (branch: string, files: Record<string, string | null>, from?: string) =>
    github.commitFiles(REPO, branch, { login: "ada", message: branch, files, ...(from ? { from } : {}) });
  await commit("main", { "old.txt": "newer\n" });
  const head = await commit("side", { "a.txt": "one, on the side\n", "c.txt": "c\n" }, "main");
  await commit("main", { "src/b.txt": "b, moved on\n" });
  await execa("git", ["update-ref", "refs/pull/1/head", head], { cwd: github.gitDir(REPO) });
  const mirrors = new Mirrors(join(dir, "mirrors"), { bloblessKilobytesMin: 1000 });
  const access = { url: `${github.url}/${REPO}.git`, token: github.tokenFor("ada"), kilobytes: 1000 };
  const kept = stack.move();
  return { dir, github, mirrors, access, head, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

async function listMissing(gitDir: string, ...commits: string[]): Promise<number> {
  const args = ["rev-list", "--objects", "--missing=print", ...commits];
  const { stdout } = await execa("git", args, { cwd: gitDir, env: GIT_ENV, extendEnv: false });
  return stdout.split("\n").filter((line) => line.startsWith("?")).length;
}

test.each(ROADS)("by $road a run works on a mirror that has no file but those of its commits", async (road) => {
  await using scene = await openScene();
  const { mirrors, access, dir } = scene;
  using mirror = await mirrors.fetch(repo, [1], access, signal);
  expect(await isBlobless(mirror)).toBe(true);
  const base = await resolveCommit(mirror, "refs/heads/main");
  const fork = await mergeBase(mirror, base, scene.head);
  expect(await listMissing(mirror.gitDir, "--all")).toBe(7);
  await fillCommits(mirror, [base, fork, scene.head], access, signal);
  expect(await listMissing(mirror.gitDir, "--no-walk", base, fork, scene.head)).toBe(0);
  expect(await listMissing(mirror.gitDir, "--all")).toBe(1);
  const config = await readFile(join(mirror.gitDir, "config"), "utf8");
  expect([config.includes(access.url), config.includes(access.token)]).toEqual([false, false]);

  const place = { gitDir: mirror.gitDir, workTree: null };
  expect((await listChanges(place, fork, scene.head)).map(({ path }) => path)).toEqual(["a.txt", "c.txt"]);
  expect(await readDiff(place, fork, scene.head)).toContain("+one, on the side");
  const opening = { mirror, sha: scene.head, runsDir: join(dir, "runs"), overlayFilesMin: road.overlayFilesMin };
  await using workspace = await Workspace.open(opening, signal);
  const inside = { cwd: workspace.treeDir, env: GIT_ENV, extendEnv: false };
  const visible = (...args: string[]) => execa("git", ["-c", "safe.directory=*", ...args], inside);
  expect((await visible("status", "--porcelain")).stdout).toBe("");
  expect((await visible("log", "--format=%s")).stdout.split("\n").slice(0, 2)).toEqual(["side", "main"]);
  expect((await visible("show", "HEAD:old.txt")).stdout).toBe("newer");
  const start = await takeCheckpoint(workspace, signal);
  await writeFile(join(workspace.treeDir, "a.txt"), "changed\n");
  const tree = await snapshot(workspace, signal);
  expect(await readDiff(workspace.place, scene.head, tree)).toContain("+changed");
  const commit = await commitTree(workspace, tree, { message: "Change", identity: IDENTITY });
  await keepCommit(mirror, workspace.gitDir, commit, "task-1");
  await restoreCheckpoint(workspace, start, signal);

  await gitOverNetwork(place, ["push", "--quiet", access.url, `${commit}:refs/heads/agent/1`], { access, signal });
  const there = await execa("git", ["show", "agent/1:a.txt"], { cwd: scene.github.gitDir(REPO) });
  expect(there.stdout).toBe("changed");
});

test("a mirror without files follows its forge, and is told from a forge that does not answer", async () => {
  await using scene = await openScene();
  const { mirrors, access } = scene;
  (await mirrors.fetch(repo, [], access, signal))[Symbol.dispose]();
  const files = { "new.txt": "new\n" };
  const moved = await scene.github.commitFiles(REPO, "main", { login: "ada", message: "m", files });
  // The forge may call it smaller by then: it stays what it is.
  using mirror = await mirrors.fetch(repo, [], { ...access, kilobytes: 1 }, signal);
  expect(await resolveCommit(mirror, "refs/heads/main")).toBe(moved);
  const wrong = { ...access, token: "ghs_wrong" };
  await expect(fillCommits(mirror, [moved], wrong, signal)).rejects.toBeInstanceOf(TransientError);
  await fillCommits(mirror, [moved], access, signal);
  expect(await listMissing(mirror.gitDir, "--no-walk", moved)).toBe(0);
});

test("a small repository is mirrored whole", async () => {
  await using scene = await openScene();
  using mirror = await scene.mirrors.fetch(repo, [], { ...scene.access, kilobytes: 999 }, signal);
  expect([await isBlobless(mirror), await listMissing(mirror.gitDir, "--all")]).toEqual([false, 0]);
});
