/** Files that Git LFS keeps, on their way to the forge: before the branch that points to them, from any machine, refused with a reason. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { TransientError } from "../../src/failure.ts";
import { perform } from "../../src/publish/perform.ts";
import type { Push } from "../../src/publish/push.ts";
import { keepResult, readBundleRef, restoreResult, type ResultShelf } from "../../src/publish/result.ts";
import type { Result } from "../../src/store/results.ts";
import { layObjects } from "../../src/workspace/lfs-tree.ts";
import { hasCommit, Mirrors, resolveCommit } from "../../src/workspace/mirror.ts";
import { Workspace } from "../../src/workspace/workspace.ts";
import { findGitLfs, LFS_RULE, lfsClient, pointerTo } from "../lfs.ts";
import { askForge, branches, openScene } from "./scene.ts";

const signal = new AbortController().signal;
const CONTENT = { "a.txt": "one\n", ".gitattributes": LFS_RULE };
const BRANCH = "agent/12-x";
const BATCH = /lfs\/objects\/batch$/;

function ownBranch(commit: string): Push {
  return { kind: "push", role: "push", commit, to: { kind: "own-branch", branch: BRANCH } };
}

test.skipIf((await findGitLfs()) === null)("git-lfs itself reads what we wrote, and we what it wrote", async () => {
  await using scene = await openScene({ content: CONTENT });
  const { git, url } = lfsClient(scene.github, scene.dir);
  const clone = join(scene.dir, "ada");
  await git("clone", "--quiet", url, clone);
  await writeFile(join(clone, "hers.bin"), "Ada's\n");
  await git("-C", clone, "add", "hers.bin");
  await git("-C", clone, "commit", "--quiet", "-m", "Hers");
  await git("-C", clone, "lfs", "push", "origin", "main");
  await git("-C", clone, "push", "--quiet", "origin", "main");
  expect(await askForge(scene.github, ["show", "main:hers.bin"])).toBe(pointerTo("Ada's\n").trim());

  await scene.fetch();
  await perform(scene.desk, ownBranch(await scene.commit({ "ours.bin": "ours\n" })));
  expect(await askForge(scene.github, ["show", `${BRANCH}:ours.bin`])).toBe(pointerTo("ours\n").trim());
  await git("-C", clone, "fetch", "--quiet", "origin", BRANCH);
  await git("-C", clone, "checkout", "--quiet", "FETCH_HEAD");
  expect(await readFile(join(clone, "ours.bin"), "utf8")).toBe("ours\n");
  expect(await git("-C", clone, "status", "--porcelain")).toBe("");

  const sha = await resolveCommit(scene.mirror, "refs/heads/main");
  await using workspace = await Workspace.open({ ...scene, sha, runsDir: join(scene.dir, "runs") }, signal);
  expect(await layObjects(workspace, scene, signal)).toEqual([]);
  expect(await readFile(join(workspace.treeDir, "hers.bin"), "utf8")).toBe("Ada's\n");
});

test("the objects go before the branch, once, also from a machine that has the result from its bundle alone", async () => {
  await using scene = await openScene({ content: CONTENT });
  const commit = await scene.commit({ "ours.bin": "ours\n", "a.txt": "two\n" });
  const shelf = shelfIn(scene.dir);
  await keepResult(shelf, { mirror: scene.mirror, taskId: scene.task.id, commit });
  const bundle = (await shelf.find())?.bundle.bytes ?? Buffer.alloc(0);
  expect(readBundleRef(bundle)).toBe(`refs/pullwright/result/${scene.task.id}-${commit}`);

  const mirrors = new Mirrors(join(scene.dir, "other"));
  using mirror = await mirrors.fetch(scene.task.repo, [], scene.access, signal);
  expect([await restoreResult(shelf, { mirror, commit }), await hasCommit(mirror, commit)]).toEqual([true, true]);
  await perform({ ...scene.desk, mirror }, ownBranch(commit));
  const sent = () =>
    scene.github.requests
      .filter(({ method }) => method !== "GET")
      .flatMap(({ path }) => /(batch|verify|_lfs|git-receive-pack)/.exec(path)?.[1] ?? []);
  expect(sent()).toEqual(["batch", "_lfs", "_lfs", "git-receive-pack"]);
  expect(await askForge(scene.github, ["show", `${BRANCH}:ours.bin`])).toBe(pointerTo("ours\n").trim());
  // Pushed anew, as after a worker that was lost in between: what is there is not sent again.
  await askForge(scene.github, ["update-ref", "-d", `refs/heads/${BRANCH}`]);
  scene.log.forget("push");
  await perform(scene.desk, ownBranch(commit));
  expect(sent().slice(4)).toEqual(["batch", "git-receive-pack"]);
});

test.each([403, 507])("a forge that refuses objects with %i gets no branch, and the asker a reason", async (status) => {
  await using scene = await openScene({ content: CONTENT });
  const push = ownBranch(await scene.commit({ "ours.bin": "ours\n" }));
  scene.github.failNext({ path: BATCH, status });
  await expect(perform(scene.desk, push)).rejects.toThrow(`Git LFS keeps (status ${status})`);
  expect(await branches(scene.github)).toEqual(["main"]);
  await perform(scene.desk, push);
  expect(await branches(scene.github)).toEqual([BRANCH, "main"]);
});

test("a store that breaks off is tried again later", async () => {
  await using scene = await openScene({ content: CONTENT });
  const push = ownBranch(await scene.commit({ "ours.bin": "ours\n" }));
  scene.github.failNext({ path: /^\/_lfs\//, dropConnection: true, times: 2 });
  await expect(perform(scene.desk, push)).rejects.toThrow(TransientError);
  expect(await branches(scene.github)).toEqual(["main"]);
  await perform(scene.desk, push);
  expect(await branches(scene.github)).toEqual([BRANCH, "main"]);
});

function shelfIn(dir: string): ResultShelf {
  let kept: Result | null = null;
  return {
    ...{ bytesMax: 1024 * 1024, dir: join(dir, "results"), find: async () => kept },
    save: async (result) => void (kept = result),
  };
}
