import { execa } from "execa";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, test } from "vitest";
import { bubblewrapSandbox } from "../../src/sandbox/bubblewrap.ts";
import { takeCheckpoint } from "../../src/workspace/checkpoint.ts";
import { commitTree, listChanges, snapshot } from "../../src/workspace/snapshot.ts";
import { Workspace } from "../../src/workspace/workspace.ts";
import { isRoot, LIMITS, MIB, TestSession, TOOLS } from "../sandbox/open-session.ts";
import { GIT_ENV, openRepository, type TestRepository } from "./repository.ts";
import { readWholeTree, ROADS } from "./whole-tree.ts";

const signal = new AbortController().signal;
const FIRST = { "a.txt": "one\n", "src/deep/b.ts": "b\n", "src/c.ts": "c\n", "docs/d.md": "d\n" };
const SECOND = { ...FIRST, "a.txt": "two\n", "src/e.ts": "e\n" };

function openOn(repository: TestRepository, sha: string | undefined, overlayFilesMin: number) {
  const runsDir = join(repository.dir, "runs");
  return Workspace.open({ mirror: repository.mirror, sha: sha ?? "", runsDir, overlayFilesMin }, signal);
}

async function openSandbox({ treeDir, owner }: Workspace) {
  const opening = { workspaceDir: treeDir, owner, readOnlyPaths: [], isReadOnly: false, limits: LIMITS };
  const session = await bubblewrapSandbox(TOOLS).open(opening);
  const test = new TestSession(treeDir, session);
  return {
    bash: (script: string) => test.bash(script),
    // The tree is the workspace's to remove.
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}

function mounts(): Promise<string> {
  return readFile("/proc/self/mountinfo", "utf8");
}

describe.each(ROADS)("on the road of $road", ({ road, overlayFilesMin }) => {
  test("sandboxed code owns its tree, sees a clean status and history, and may stash and commit", async () => {
    await using repository = await openRepository(FIRST, SECOND);
    await using workspace = await openOn(repository, repository.commits[1], overlayFilesMin);
    await using sandbox = await openSandbox(workspace);
    const said = await sandbox.bash(
      [
        "set -e; git status --porcelain; git log --format=%s; git blame -s src/e.ts | wc -l",
        "find . ! -user $(id -u) | wc -l; echo more >>a.txt; chmod 755 src/c.ts; git stash -q; git status --porcelain",
        "git stash pop -q; git status --porcelain; git -c user.name=a -c user.email=a@b commit -qam mine; git log -1 --format=%s",
      ].join("\n"),
    );
    expect(said).toEqual({
      exit: { kind: "exited", code: 0 },
      stdout: "commit 2\ncommit 1\n1\n0\n M a.txt\n M src/c.ts\nmine\n",
      stderr: "",
    });
    const tree = await snapshot(workspace, signal);
    expect((await listChanges(workspace.place, workspace.baseSha, tree)).map(({ path }) => path)).toEqual([
      ...["a.txt", "src/c.ts"],
    ]);
  });

  test("a folder renamed, replaced and written in the sandbox is what the commit has", async () => {
    await using repository = await openRepository(FIRST);
    await using workspace = await openOn(repository, repository.commits[0], overlayFilesMin);
    await using sandbox = await openSandbox(workspace);
    await takeCheckpoint(workspace, signal);
    const said = await sandbox.bash(
      "git mv src lib && mv docs src && echo x >src/deep && rm lib/c.ts && git status -s",
    );
    expect(said.exit).toEqual({ kind: "exited", code: 0 });
    const tree = await snapshot(workspace, signal);
    const identity = { name: "bot", email: "bot@example.com" };
    const commit = await commitTree(workspace, tree, { message: "m", identity });
    const plain = join(repository.dir, "plain");
    await execa("git", ["clone", "-q", "--no-checkout", workspace.gitDir, plain], { env: GIT_ENV, extendEnv: false });
    await execa("git", ["fetch", "-q", workspace.gitDir, commit], { cwd: plain, reject: false });
    await execa("git", [`--git-dir=${workspace.gitDir}`, `--work-tree=${plain}`, "checkout", "-f", commit, "--", "."]);
    const whole = await readWholeTree(plain);
    expect(whole).toEqual(await readWholeTree(workspace.treeDir));
    expect(Object.keys(whole)).toEqual(["a.txt", "lib/deep/b.ts", "src/d.md", "src/deep"]);
  });

  test("a submodule stays what it was, whatever is put into its folder", async () => {
    await using repository = await openRepository(FIRST);
    const link = `160000,${repository.commits[0]},vendor/sub`;
    const cwd = join(repository.dir, "tree");
    await execa("git", ["update-index", "--add", "--cacheinfo", link], { cwd });
    await execa("git", ["commit", "-qm", "sub"], { cwd, env: GIT_ENV, extendEnv: false });
    await execa("git", ["push", "-q", repository.mirror.gitDir, "HEAD:main"], { cwd });
    const sha = (await execa("git", ["rev-parse", "HEAD"], { cwd })).stdout;
    await using workspace = await openOn(repository, sha, overlayFilesMin);
    await writeFile(join(workspace.treeDir, "vendor/sub/file"), "x\n");
    await writeFile(join(workspace.treeDir, "a.txt"), "changed\n");
    const tree = await snapshot(workspace, signal);
    expect((await listChanges(workspace.place, workspace.baseSha, tree)).map(({ path }) => path)).toEqual(["a.txt"]);
  });

  test("LFS pointers stay pointers, and no filter that a commit names is run", async () => {
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${"0".repeat(64)}\nsize 12345\n`;
    const attributes = "*.bin filter=lfs diff=lfs merge=lfs -text\n";
    await using repository = await openRepository({ ...FIRST, ".gitattributes": attributes, "big.bin": pointer });
    await using workspace = await openOn(repository, repository.commits[0], overlayFilesMin);
    const file = join(workspace.treeDir, "big.bin");
    expect(await readFile(file, "utf8")).toBe(pointer);
    await using sandbox = await openSandbox(workspace);
    expect((await sandbox.bash("git status --porcelain; echo other >>a.txt; touch big.bin")).stdout).toBe("");
    const tree = await snapshot(workspace, signal);
    expect((await listChanges(workspace.place, workspace.baseSha, tree)).map(({ path }) => path)).toEqual(["a.txt"]);
  });

  test("what a killed worker left goes at the next start, and a live run stays", async () => {
    await using repository = await openRepository(FIRST);
    await using live = await openOn(repository, repository.commits[0], overlayFilesMin);
    const runsDir = dirname(dirname(live.treeDir));
    const args = [repository.mirror.gitDir, repository.commits[0] ?? "", runsDir, String(overlayFilesMin)];
    const worker = spawn(process.execPath, [join(import.meta.dirname, "holder.ts"), ...args], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [treeDir] = await once(createInterface(worker.stdout), "line");
    await Workspace.sweep(runsDir);
    expect(existsSync(join(String(treeDir), "a.txt"))).toBe(true);
    worker.kill("SIGKILL");
    await once(worker, "exit");
    if (road === "overlay") expect(await mounts()).toContain(String(treeDir));
    await Workspace.sweep(runsDir);
    expect(await mounts()).not.toContain(dirname(String(treeDir)));
    const name = live.treeDir.split("/").at(-2);
    const left = (await readdir(runsDir)).filter((file) => !file.endsWith("-journal")); // SQLite's, while it locks.
    expect(left.toSorted()).toEqual([name, `${name}.lock`, "turn"].toSorted());
    expect(await readFile(join(live.treeDir, "a.txt"), "utf8")).toBe("one\n");
  });
});

test("what a command writes into an overlay is counted, deleted files among it, without asking the files below", async (it) => {
  it.skip(!isRoot, "an overlay needs root");
  const many = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`many/${i}.txt`, `${i}\n`]));
  await using repository = await openRepository(many);
  await using workspace = await openOn(repository, repository.commits[0], 0);
  const { treeDir, owner, layers } = workspace;
  const limits = { ...LIMITS, workspaceBytesMax: 32 * MIB, workspaceFilesMax: 100 };
  const opening = { workspaceDir: treeDir, owner, readOnlyPaths: [], isReadOnly: false, limits };
  await using session = await bubblewrapSandbox(TOOLS).open({ ...opening, writtenDir: layers?.upperDir ?? null });
  const inside = new TestSession(treeDir, session);
  const wrote = async (script: string) => (await inside.bash(script)).exit;
  expect(await wrote("echo new >many/0.txt; fallocate -l 16M a; sleep 3")).toMatchObject({ kind: "exited" });
  expect(await wrote("exec 3>b; rm b; fallocate -l 24M /proc/self/fd/3; sleep 30")).toMatchObject({
    kind: "disk-limit",
  });
  expect(await wrote("rm a; for i in $(seq 120); do : >many/new-$i; done; sleep 30")).toMatchObject({
    kind: "disk-limit",
  });
});

describe.skipIf(!isRoot)("a warm checkout", () => {
  test("is never changed by a run, and serves the next run and another commit", async () => {
    await using repository = await openRepository(FIRST, SECOND);
    const warm = () => readWholeTree(join(repository.dir, "mirror.warm/0/tree"));
    {
      await using workspace = await openOn(repository, repository.commits[0], 0);
      await using sandbox = await openSandbox(workspace);
      const before = await warm();
      await sandbox.bash("rm -rf src; echo changed >a.txt; mkdir x; mv docs x/docs; git gc -q; ln -s / root");
      expect(await warm()).toEqual(before);
    }
    await using next = await openOn(repository, repository.commits[0], 0);
    expect(await readWholeTree(next.treeDir)).toEqual(await warm());
    await using moved = await openOn(repository, repository.commits[1], 0);
    await using sandbox = await openSandbox(moved);
    const said = await sandbox.bash(
      "git status --porcelain; git log --format=%s; find . ! -user $(id -u); cat a.txt src/e.ts",
    );
    expect(said).toEqual({ exit: { kind: "exited", code: 0 }, stdout: "commit 2\ncommit 1\ntwo\ne\n", stderr: "" });
    expect(next.owner).not.toBe(moved.owner);
    expect((await readdir(join(repository.dir, "mirror.warm"))).filter((name) => /^\d+$/.test(name))).toEqual(["0"]);
  });

  test("is brought up to date once a run that had to write much has ended", async () => {
    const many = Object.fromEntries(Array.from({ length: 120 }, (_, i) => [`many/${i}.txt`, `${i}\n`]));
    await using repository = await openRepository(FIRST, { ...SECOND, ...many });
    await (await openOn(repository, repository.commits[0], 0))[Symbol.asyncDispose]();
    const commit = () => readFile(join(repository.dir, "mirror.warm/0/commit"), "utf8");
    expect(await commit()).toBe(repository.commits[0]);
    await (await openOn(repository, repository.commits[1], 0))[Symbol.asyncDispose]();
    expect(await commit()).toBe(repository.commits[1]);
    await using workspace = await openOn(repository, repository.commits[1], 0);
    await using sandbox = await openSandbox(workspace);
    expect((await sandbox.bash("git status --porcelain; git log --format=%s; ls many | wc -l")).stdout).toBe(
      "commit 2\ncommit 1\n120\n",
    );
  });

  test("that a killed worker left half-written is written anew", async () => {
    await using repository = await openRepository(FIRST);
    await (await openOn(repository, repository.commits[0], 0))[Symbol.asyncDispose]();
    await rm(join(repository.dir, "mirror.warm/0/commit"));
    await rm(join(repository.dir, "mirror.warm/0/tree/src"), { recursive: true });
    await using workspace = await openOn(repository, repository.commits[0], 0);
    expect(await readFile(join(workspace.treeDir, "src/c.ts"), "utf8")).toBe("c\n");
  });

  test("is neither asked for nor made for a small repository", async () => {
    await using repository = await openRepository(FIRST);
    const opening = { mirror: repository.mirror, sha: repository.commits[0] ?? "" };
    await using workspace = await Workspace.open({ ...opening, runsDir: join(repository.dir, "runs") }, signal);
    expect(workspace.layers).toBeNull();
    expect(existsSync(join(repository.dir, "mirror.warm/0"))).toBe(false);
  });
});
