/** Git directories that sandboxed code writes where the index knows a file or a submodule: git itself would look into them. */
import { execa } from "execa";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { restoreCheckpoint, takeCheckpoint } from "../../src/workspace/checkpoint.ts";
import { putBackTracked } from "../../src/workspace/set-up-traces.ts";
import { Workspace } from "../../src/workspace/workspace.ts";
import { GIT_ENV, openRepository } from "./repository.ts";
import { ROADS } from "./whole-tree.ts";

/** A pipe holds whoever opens it for ever; all of this takes less than a second. */
const HELD_MS = 20_000;

const FILES = { "README.md": "# Base\n", "src/a.ts": "export const a = 1;\n" };

/** A repository whose newest commit has a submodule as well, at `sub`. */
async function openWithSubmodule() {
  const repository = await openRepository(FILES);
  const git = async (...args: string[]) =>
    (await execa("git", ["--git-dir", repository.mirror.gitDir, ...args], { env: GIT_ENV, extendEnv: false })).stdout;
  const base = repository.commits.at(-1) ?? expect.unreachable();
  await git("read-tree", base);
  await git("update-index", "--add", "--cacheinfo", `160000,${base},sub`);
  const tree = await git("write-tree");
  const sha = await git("commit-tree", tree, "-p", base, "-m", "a submodule");
  await git("update-ref", "refs/heads/main", sha);
  await rm(join(repository.mirror.gitDir, "index"));
  return { repository, sha, tree };
}

/** HEAD of a repository in `folder` as a pipe. */
async function plantPipe(folder: string): Promise<void> {
  for (const name of ["objects", "refs"]) await mkdir(join(folder, ".git", name), { recursive: true });
  await execa("mkfifo", [join(folder, ".git/HEAD")]);
}

describe.each(ROADS)("on the road of $road", ({ overlayFilesMin }) => {
  const openOn = async (signal: AbortSignal) => {
    const made = await openWithSubmodule();
    const { dir, mirror } = made.repository;
    const opening = { mirror, sha: made.sha, runsDir: join(dir, "runs"), overlayFilesMin };
    return { ...made, workspace: await Workspace.open(opening, signal) };
  };

  test("a repository in a submodule's folder is not opened", async () => {
    const signal = AbortSignal.timeout(HELD_MS);
    const { repository, workspace, tree } = await openOn(signal);
    await using kept = repository;
    await using run = workspace;
    await plantPipe(join(run.treeDir, "sub"));
    await writeFile(join(run.treeDir, "sub/file"), "of another repository\n");
    expect((await takeCheckpoint(run, signal)).tree).toBe(tree);
    expect(kept.commits).toHaveLength(1);
  });

  test("a submodule whose folder is gone stays part of the tree", async () => {
    const signal = AbortSignal.timeout(HELD_MS);
    const { repository, workspace, tree } = await openOn(signal);
    await using kept = repository;
    await using run = workspace;
    await rm(join(run.treeDir, "sub"), { recursive: true, force: true });
    expect((await takeCheckpoint(run, signal)).tree).toBe(tree);
    expect(kept.commits).toHaveLength(1);
  });

  test("a repository where a file was is not opened, and the file comes back", async () => {
    const signal = AbortSignal.timeout(HELD_MS);
    const { repository, workspace, tree } = await openOn(signal);
    await using kept = repository;
    await using run = workspace;
    const start = await takeCheckpoint(run, signal);
    await rm(join(run.treeDir, "README.md"));
    await plantPipe(join(run.treeDir, "README.md"));
    await writeFile(join(run.treeDir, "README.md/beside"), "kept\n");
    const { tree: taken } = await takeCheckpoint(run, signal);
    const listed = await execa("git", ["ls-tree", "-r", "--name-only", taken], { cwd: run.gitDir });
    expect(listed.stdout.split("\n")).toEqual(["README.md/beside", "src/a.ts", "sub"]);
    expect(start.tree).toBe(tree);
    await rm(join(run.treeDir, "README.md"), { recursive: true });
    await restoreCheckpoint(run, start, signal);
    expect(await readFile(join(run.treeDir, "README.md"), "utf8")).toBe("# Base\n");
    expect(kept.commits).toHaveLength(1);
  });

  test("a pipe for attributes beside a file that was taken before it was ignored holds nothing up", async () => {
    const signal = AbortSignal.timeout(HELD_MS);
    const { repository, workspace } = await openOn(signal);
    await using kept = repository;
    await using run = workspace;
    const at = (path: string) => join(run.treeDir, path);
    await mkdir(at("out/deep"), { recursive: true });
    await writeFile(at("out/deep/file"), "one\n");
    const first = await takeCheckpoint(run, signal);
    await writeFile(at(".gitignore"), "out/\n");
    await execa("mkfifo", [at("out/.gitattributes"), at("out/deep/.gitattributes")]);
    await writeFile(at("out/deep/file"), "two, longer\n");
    const { tree } = await takeCheckpoint(run, signal);
    const shown = await execa("git", ["show", `${tree}:out/deep/file`], { cwd: run.gitDir });
    expect(shown.stdout).toBe("two, longer");
    await execa("mkfifo", [at("out/.gitattributes")]);
    await restoreCheckpoint(run, first, signal);
    expect(await readFile(at("out/deep/file"), "utf8")).toBe("one\n");
    expect(kept.commits).toHaveLength(1);
  });

  test("what a set-up left in the way of tracked files holds nothing up when they are put back", async () => {
    const signal = AbortSignal.timeout(HELD_MS);
    const { repository, workspace } = await openOn(signal);
    await using kept = repository;
    await using run = workspace;
    const at = (path: string) => join(run.treeDir, path);
    await plantPipe(at("sub"));
    await rm(at("README.md"));
    await plantPipe(at("README.md"));
    await execa("mkfifo", [at(".gitattributes"), at("src/.gitattributes")]);
    await writeFile(at("src/a.ts"), "changed\n");
    await putBackTracked(run, signal);
    expect(await readFile(at("src/a.ts"), "utf8")).toBe("export const a = 1;\n");
    expect(await readFile(at("README.md"), "utf8")).toBe("# Base\n");
    expect(kept.commits).toHaveLength(1);
  });
});
