/** `pullwright show RUN --patch` and `--bundle FILE`: the work of a run, whatever became of its branch. */
import { execa } from "execa";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { keepResult, restoreResult, type ResultShelf } from "../../src/publish/result.ts";
import { findResult, saveResult } from "../../src/store/results.ts";
import { markRunning } from "../../src/store/tasks.ts";
import { openTestDatabase } from "../database.ts";
import { startedTask } from "../store/builders.ts";

const BIN = join(import.meta.dirname, "../../bin/pullwright");
const IDENTITY = ["-c", "user.name=ann", "-c", "user.email=ann@example.com", "-c", "commit.gpgSign=false"];

/** A bare mirror with one commit on `main` and the work, a text and a binary file, on top of it and on no branch. */
async function openScene() {
  await using stack = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "pw-show-"));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  const opened = stack.use(await openTestDatabase());
  const work = join(dir, "work");
  const git = async (...args: string[]) => (await execa("git", [...IDENTITY, ...args], { cwd: work })).stdout;
  await execa("git", ["init", "-q", "-b", "main", work]);
  await writeFile(join(work, "a.txt"), "one\n");
  await git("add", ".");
  await git("commit", "-qm", "First");
  await execa("git", ["clone", "-q", "--bare", work, join(dir, "other.git")]);
  const base = await git("rev-parse", "HEAD");
  await writeFile(join(work, "a.txt"), "two\n");
  await writeFile(join(work, "b.bin"), Buffer.from([0, 1, 2, 255, 0]));
  await git("add", ".");
  await git("commit", "-qm", "Change it");
  const commit = await git("rev-parse", "HEAD");
  await execa("git", ["clone", "-q", "--bare", work, join(dir, "mirror.git")]);
  await git("reset", "-q", "--hard", base);
  const run = await startedTask(opened.database);
  const shelfOf = (attempt: number): ResultShelf => ({
    save: (result) => saveResult(opened.database, { ...run, attempt }, result),
    find: () => findResult(opened.database, { ...run, attempt }),
    bytesMax: 1_000_000,
    dir: join(dir, "results"),
  });
  const kept = stack.move();
  return {
    ...{ dir, work, git, base, commit, run, shelfOf, database: opened.database },
    mirror: { gitDir: join(dir, "mirror.git") },
    show: (...args: string[]) => {
      const env = { PATH: process.env["PATH"] ?? "", DATABASE_URL: opened.url, PULLWRIGHT_DATA: dir };
      const id = run.taskId.slice(0, 13);
      return execa(BIN, ["show", id, ...args], { env, extendEnv: false, reject: false, stripFinalNewline: false });
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

test("the work of a run is there as a patch and as a bundle, byte for byte, also for a later attempt's id", async () => {
  await using scene = await openScene();
  const { commit, run, mirror, git } = scene;
  expect(await scene.show("--patch")).toMatchObject({
    exitCode: 64,
    stderr: expect.stringContaining("kept no change"),
  });
  for (let twice = 0; twice < 2; twice++) {
    await keepResult(scene.shelfOf(1), { mirror, taskId: run.taskId, commit });
  }
  await markRunning(scene.database, run.taskId);
  const tree = await git("rev-parse", `${commit}^{tree}`);

  expect((await scene.show()).stdout).toContain(`kept: commit ${commit.slice(0, 10)}; --patch shows it`);
  const { stdout: patch, exitCode } = await scene.show("--patch");
  expect([exitCode, patch.includes("Subject: [PATCH] Change it")]).toEqual([0, true]);
  await execa("git", [...IDENTITY, "am", "-q"], { cwd: scene.work, input: patch });
  expect(await git("rev-parse", "HEAD^{tree}")).toBe(tree);

  const file = join(scene.dir, "out.bundle");
  const { stdout: said } = await scene.show("--bundle", file);
  const [, command = ""] = /\n\n {2}git (fetch .*) && git log FETCH_HEAD\n$/.exec(said) ?? [];
  await execa("git", command.split(" "), { cwd: join(scene.dir, "other.git") });
  const fetched = await execa("git", ["rev-parse", "FETCH_HEAD"], { cwd: join(scene.dir, "other.git") });
  expect(fetched.stdout).toBe(commit);
  expect(await scene.show("--bundle", file)).toMatchObject({ exitCode: 64, stderr: expect.stringContaining("exists") });
  expect(await scene.show("--patch", "--json")).toMatchObject({
    exitCode: 64,
    stderr: expect.stringContaining("one of"),
  });
  const { stdout: refs } = await execa("git", ["for-each-ref", "refs/pullwright"], { cwd: mirror.gitDir });
  expect(refs).toBe("");
});

test("a machine that does not have the commit gets it out of its bundle, unless its base is gone too", async () => {
  await using scene = await openScene();
  const { commit, mirror, run } = scene;
  const other = { gitDir: join(scene.dir, "other.git") };
  const shelf = scene.shelfOf(1);
  expect(await restoreResult(shelf, { mirror: other, commit })).toBe(false);
  await keepResult(shelf, { mirror, taskId: run.taskId, commit });
  expect(
    await restoreResult(shelf, {
      mirror: other,
      commit: scene.base.replace(/^./, (first) => (first === "0" ? "1" : "0")),
    }),
  ).toBe(false);
  expect(await restoreResult(shelf, { mirror: other, commit })).toBe(true);
  await execa("git", ["fsck", "--strict"], { cwd: other.gitDir });

  const empty = { gitDir: join(scene.dir, "empty.git") };
  await execa("git", ["init", "-q", "--bare", empty.gitDir]);
  expect(await restoreResult(shelf, { mirror: empty, commit })).toBe(false);
});

test("a bundle too large for the database lies on its worker, by name, and is found there", async () => {
  await using scene = await openScene();
  const { commit, run, mirror } = scene;
  const small = { ...scene.shelfOf(1), bytesMax: 100 };
  await keepResult(small, { mirror, taskId: run.taskId, commit });
  expect(await scene.show("--patch")).toMatchObject({ stderr: expect.stringContaining("take --bundle FILE") });

  const file = join(scene.dir, "large.bundle");
  expect((await scene.show("--bundle", file)).stdout).toContain(`commit ${commit} on top of ${scene.base}`);
  await execa("git", ["bundle", "verify", "-q", file], { cwd: scene.work });
  const other = { gitDir: join(scene.dir, "other.git") };
  expect(await restoreResult(scene.shelfOf(1), { mirror: other, commit })).toBe(true);

  const elsewhere = "UPDATE pullwright.results SET place = 'other-host:/data/results/x.bundle'";
  await scene.database.query(elsewhere);
  expect(await scene.show("--bundle", join(scene.dir, "x"))).toMatchObject({
    exitCode: 64,
    stderr: expect.stringContaining("It was left on a worker, at other-host:/data/results/x.bundle"),
  });
});

test("an attempt that was overtaken keeps nothing any more", async () => {
  await using scene = await openScene();
  const { commit, run, mirror } = scene;
  await markRunning(scene.database, run.taskId);
  const keeping = keepResult(scene.shelfOf(1), { mirror, taskId: run.taskId, commit });
  await expect(keeping).rejects.toThrow("another one may be running");
  expect(await findResult(scene.database, { ...run, attempt: 2 })).toBeNull();
});
