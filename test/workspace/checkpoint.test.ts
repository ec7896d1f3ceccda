import { execa } from "execa";
import { chmod, mkdir, readFile, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  packCheckpoint,
  restoreCheckpoint,
  takeCheckpoint,
  unpackCheckpoint,
  type Checkpoint,
} from "../../src/workspace/checkpoint.ts";
import { commitTree, snapshot } from "../../src/workspace/snapshot.ts";
import { toPath } from "../../src/workspace/walk.ts";
import { Workspace } from "../../src/workspace/workspace.ts";
import { mulberry32, type Random } from "../patch/random.ts";
import { openRepository, type TestRepository } from "./repository.ts";
import { readWholeTree, ROADS } from "./whole-tree.ts";

const signal = new AbortController().signal;
const BASE = {
  ".gitignore": "dist/\n*.log\n",
  "README.md": "# Base\n",
  "src/a.ts": "export const a = 1;\n",
  "src/deep/b.ts": "export const b = 2;\n",
  "docs/one.md": "one\n",
  "docs/two.md": "two\n",
};

function openOn(repository: TestRepository, overlayFilesMin: number) {
  const sha = repository.commits.at(-1) ?? "";
  return Workspace.open(
    { mirror: repository.mirror, sha, runsDir: join(repository.dir, "runs"), overlayFilesMin },
    signal,
  );
}

describe.each(ROADS)("on the road of $road", ({ overlayFilesMin }) => {
  test("restoring goes back and forth between all that a tree can be", async () => {
    await using repository = await openRepository(BASE);
    await using workspace = await openOn(repository, overlayFilesMin);
    const { treeDir } = workspace;
    const at = (path: string) => join(treeDir, path);
    const steps: (() => Promise<unknown>)[] = [
      () => writeFile(at("README.md"), "# Other\n"),
      () => chmod(at("src/a.ts"), 0o755),
      () => writeFile(at("src/new.ts"), "new\n"),
      () => rm(at("docs/one.md")),
      () => rename(at("src"), at("lib")),
      () => rename(at("docs"), at("src")),
      () => rm(at("lib"), { recursive: true }),
      async () => {
        await rm(at("src"), { recursive: true });
        await writeFile(at("src"), "now a file\n");
      },
      async () => {
        await rm(at("src"));
        await mkdir(at("src/deep/er"), { recursive: true });
        await writeFile(at("src/deep/er/c.ts"), "c\n");
      },
      async () => {
        await rm(at("src/deep"), { recursive: true });
        await symlink("../README.md", at("src/deep"));
      },
      () => symlink("nowhere/at all", at("dangling")),
      async () => {
        for (const name of [":(icase)readme.md", "*.ts", "[a]", "-x", ":!y", "a\\b"])
          await writeFile(at(name), "odd\n");
      },
      () => writeFile(toPath(treeDir, "new\nline and \xff\xfe bytes"), "odd\n"),
      async () => {
        await rm(at("README.md"));
        await mkdir(at("README.md"));
        await writeFile(at("README.md/inside"), "in\n");
      },
      () => writeFile(at(".gitignore"), "*.tmp\n"),
      () => rm(at("src"), { recursive: true }),
    ];
    const taken: { checkpoint: Checkpoint; whole: Record<string, string> }[] = [];
    for (const step of [async () => {}, ...steps]) {
      await step();
      taken.push({ checkpoint: await takeCheckpoint(workspace, signal), whole: await readWholeTree(treeDir) });
    }
    expect(new Set(taken.map(({ checkpoint }) => checkpoint.tree)).size).toBe(taken.length);
    const order = [0, 9, 3, 14, 5, 12, 1, 8, 7, 16, 10, 15, 2, 11, 13, 4, 6, 0];
    for (const index of order) {
      const { checkpoint, whole } = taken[index] ?? expect.unreachable();
      await restoreCheckpoint(workspace, checkpoint, signal);
      expect(await readWholeTree(treeDir), `step ${index}`).toEqual(whole);
      expect(await takeCheckpoint(workspace, signal)).toEqual(checkpoint);
    }
  });

  test("a hundred random changes come back one by one", { timeout: 120_000 }, async () => {
    await using repository = await openRepository(BASE);
    await using workspace = await openOn(repository, overlayFilesMin);
    const random = mulberry32(7);
    const taken: { checkpoint: Checkpoint; whole: Record<string, string> }[] = [];
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 5; i++) await changeSomething(workspace.treeDir, random);
      taken.push({
        checkpoint: await takeCheckpoint(workspace, signal),
        whole: await readWholeTree(workspace.treeDir),
      });
    }
    for (const { checkpoint, whole } of taken.toReversed()) {
      await restoreCheckpoint(workspace, checkpoint, signal);
      expect(await readWholeTree(workspace.treeDir)).toEqual(whole);
    }
  });

  test("another machine goes on from packs alone", async () => {
    await using repository = await openRepository(BASE);
    await using first = await openOn(repository, overlayFilesMin);
    await using second = await openOn(repository, overlayFilesMin);
    const packs: Buffer[] = [];
    const taken: Checkpoint[] = [];
    for (const text of ["one\n", "two\n", "two\n"]) {
      await writeFile(join(first.treeDir, "README.md"), text);
      await mkdir(join(first.treeDir, "sub"), { recursive: true });
      await writeFile(join(first.treeDir, `sub/${text.trim()}`), text.repeat(1000));
      const checkpoint = await takeCheckpoint(first, signal);
      packs.push(await packCheckpoint(first, { checkpoint, previous: taken.at(-1) ?? null }, signal));
      taken.push(checkpoint);
    }
    expect(packs.map((pack) => pack.length > 0)).toEqual([true, true, false]);
    expect(Math.max(...packs.map((pack) => pack.length))).toBeLessThan(2000);
    for (const pack of packs) await unpackCheckpoint(second, pack, signal);
    await restoreCheckpoint(second, taken[1] ?? expect.unreachable(), signal);
    expect(await readWholeTree(second.treeDir)).toEqual(await readWholeTree(first.treeDir));
  });

  test("a change of the same length in the same second, or with its old time put back, is seen", async () => {
    await using repository = await openRepository(BASE);
    await using workspace = await openOn(repository, overlayFilesMin);
    const file = join(workspace.treeDir, "README.md");
    await writeFile(file, "# Aaaa\n");
    const old = new Date(1_700_000_000_000);
    await utimes(file, old, old);
    const before = await takeCheckpoint(workspace, signal);
    await writeFile(file, "# Bbbb\n");
    const between = await takeCheckpoint(workspace, signal);
    await writeFile(file, "# Cccc\n");
    const after = await takeCheckpoint(workspace, signal);
    expect(new Set([before.tree, between.tree, after.tree]).size).toBe(3);
  });

  test("a file that is added where the folder's old time was put back is seen", async () => {
    await using repository = await openRepository(BASE);
    await using workspace = await openOn(repository, overlayFilesMin);
    const folder = join(workspace.treeDir, "docs");
    const old = new Date(1_700_000_000_000);
    await utimes(folder, old, old);
    const trees = [(await takeCheckpoint(workspace, signal)).tree];
    for (const name of ["three.md", "four.md"]) {
      await writeFile(join(folder, name), "new\n");
      await utimes(folder, old, old);
      trees.push((await takeCheckpoint(workspace, signal)).tree);
    }
    expect(new Set(trees).size).toBe(3);
  });

  test("ignored files are neither taken nor touched, and what is ignored later stays once it was taken", async () => {
    await using repository = await openRepository(BASE);
    await using workspace = await openOn(repository, overlayFilesMin);
    const at = (path: string) => join(workspace.treeDir, path);
    const start = await takeCheckpoint(workspace, signal);
    await mkdir(at("dist/deep"), { recursive: true });
    await writeFile(at("dist/deep/out.js"), "built");
    await writeFile(at("src/x.log"), "log");
    expect(await takeCheckpoint(workspace, signal)).toEqual(start);
    await writeFile(at("notes.txt"), "n\n");
    const withNotes = await takeCheckpoint(workspace, signal);
    await writeFile(at(".gitignore"), "dist/\n*.log\nnotes.txt\n");
    await writeFile(at("notes.txt"), "more\n");
    await restoreCheckpoint(workspace, withNotes, signal);
    expect(await readFile(at("notes.txt"), "utf8")).toBe("n\n");
    await restoreCheckpoint(workspace, start, signal);
    expect(await readFile(at("dist/deep/out.js"), "utf8")).toBe("built");
    expect(await readFile(at("src/x.log"), "utf8")).toBe("log");
  });

  test("a file comes back where an ignored folder has taken its place", async () => {
    await using repository = await openRepository({ ...BASE, ".gitignore": "/build\n" });
    await using workspace = await openOn(repository, overlayFilesMin);
    const at = (path: string) => join(workspace.treeDir, path);
    const start = await takeCheckpoint(workspace, signal);
    await rm(at("README.md"));
    await mkdir(at("README.md"));
    await writeFile(at(".gitignore"), "README.md\n");
    await writeFile(at("README.md/kept"), "ignored\n");
    await takeCheckpoint(workspace, signal);
    await restoreCheckpoint(workspace, start, signal);
    expect(await readFile(at("README.md"), "utf8")).toBe("# Base\n");
  });

  test("a folder that gives way to a file and comes back is seen each time", async () => {
    await using repository = await openRepository(BASE);
    await using workspace = await openOn(repository, overlayFilesMin);
    const at = (path: string) => join(workspace.treeDir, path);
    const list = async () => {
      const { tree } = await takeCheckpoint(workspace, signal);
      const args = ["ls-tree", "-r", "--name-only", tree, "src"];
      return (await execa("git", args, { cwd: workspace.gitDir })).stdout.split("\n");
    };
    await list();
    await rm(at("src/deep"), { recursive: true });
    await writeFile(at("src/deep"), "a file\n");
    expect(await list()).toEqual(["src/a.ts", "src/deep"]);
    await rm(at("src/deep"));
    expect(await list()).toEqual(["src/a.ts"]);
    await mkdir(at("src/deep"));
    await writeFile(at("src/deep/b.ts"), "again\n");
    expect(await list()).toEqual(["src/a.ts", "src/deep/b.ts"]);
    // Two lines for a name of which git says nothing for sure.
    await writeFile(at("src/two\nlines"), "1\n");
    expect(await list()).toHaveLength(3);
    await rm(at("src/two\nlines"));
    await rm(at("src/a.ts"));
    expect(await list()).toEqual(["src/deep/b.ts"]);
    await writeFile(at("src/a.ts"), "back\n");
    expect(await list()).toEqual(["src/a.ts", "src/deep/b.ts"]);
  });

  test("pipes, links in the way of files and nested repositories are no part of a tree and hold nothing up", async () => {
    await using repository = await openRepository(BASE);
    await using workspace = await openOn(repository, overlayFilesMin);
    const at = (path: string) => join(workspace.treeDir, path);
    const start = await takeCheckpoint(workspace, signal);
    await execa("mkfifo", [at("pipe"), at("src/.gitattributes")]);
    await mkdir(at("fresh/.git"), { recursive: true });
    await execa("mkfifo", [at("fresh/.gitignore"), at("fresh/.git/HEAD")]);
    expect(await takeCheckpoint(workspace, signal)).toEqual(start);
    await rm(at("docs"), { recursive: true });
    await symlink("/etc", at("docs"));
    await writeFile(at("fresh/file"), "beside\n");
    const tree = (await takeCheckpoint(workspace, signal)).tree;
    const listed = await execa("git", ["ls-tree", "-r", "--name-only", tree], { cwd: workspace.gitDir });
    expect(listed.stdout.split("\n")).toEqual([
      ...[".gitignore", "README.md", "docs", "fresh/file", "src/a.ts", "src/deep/b.ts"],
    ]);
    await restoreCheckpoint(workspace, start, signal);
    expect(await readFile(at("docs/one.md"), "utf8")).toBe("one\n");
  });

  test("what is restored belongs to the sandbox's user", { skip: process.getuid?.() !== 0 }, async () => {
    await using repository = await openRepository(BASE);
    await using workspace = await openOn(repository, overlayFilesMin);
    const start = await takeCheckpoint(workspace, signal);
    await rm(join(workspace.treeDir, "src"), { recursive: true });
    await restoreCheckpoint(workspace, start, signal);
    const others = await execa("find", [workspace.treeDir, "!", "-uid", String(workspace.owner)]);
    expect(others.stdout).toBe("");
  });

  test("files and folders closed to their owner are taken all the same", async () => {
    await using repository = await openRepository(BASE);
    await using workspace = await openOn(repository, overlayFilesMin);
    const at = (path: string) => join(workspace.treeDir, path);
    await mkdir(at("closed/inner"), { recursive: true });
    await writeFile(at("closed/inner/a.txt"), "a\n", { mode: 0o200 });
    await writeFile(at("docs/one.md"), "changed\n");
    await chmod(at("docs/one.md"), 0o000);
    await chmod(at("closed/inner"), 0o000);
    await chmod(at("closed"), 0o000);
    await chmod(at("src"), 0o000);
    const tree = await snapshot(workspace, signal);
    const identity = { name: "bot", email: "bot@example.com" };
    const commit = await commitTree(workspace, tree, { message: "m", identity });
    const names = await execa("git", ["diff", "--name-only", workspace.baseSha, commit], { cwd: workspace.gitDir });
    expect(names.stdout.split("\n")).toEqual(["closed/inner/a.txt", "docs/one.md"]);
  });
});

const NAMES = ["src", "src/deep", "src/a.ts", "docs", "docs/one.md", "lib", "lib/x", "README.md", "new\nline"];

/** What a command might do: most attempts fail because something is in the way, which is no matter. */
async function changeSomething(treeDir: string, random: Random): Promise<void> {
  const pick = () => join(treeDir, random.pick(NAMES));
  const text = `${random.below(3)}\n`;
  const act = random.pick([
    () => writeFile(pick(), text),
    () => rm(pick(), { recursive: true }),
    () => rename(pick(), pick()),
    () => mkdir(pick()),
    () => symlink("a.ts", pick()),
    () => chmod(pick(), random.chance(0.5) ? 0o755 : 0o644),
    () => writeFile(`${pick()}/${random.below(3)}`, text),
  ]);
  await act().catch(() => {});
}
