/** Files that Git LFS keeps, in a run's tree: laid into it, unchanged for git inside, pointers again in what is committed. */
import { execa } from "execa";
import { chmod, copyFile, lstat, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { TransientError } from "../../src/failure.ts";
import { restoreCheckpoint, takeCheckpoint } from "../../src/workspace/checkpoint.ts";
import { readPointer, renderPointer } from "../../src/workspace/lfs-pointer.ts";
import { readObjects } from "../../src/workspace/lfs-result.ts";
import { layObjects } from "../../src/workspace/lfs-tree.ts";
import { resolveCommit } from "../../src/workspace/mirror.ts";
import { putBackTracked } from "../../src/workspace/set-up-traces.ts";
import { commitTree, listChanges, readDiff, snapshot } from "../../src/workspace/snapshot.ts";
import { Workspace } from "../../src/workspace/workspace.ts";
import { LFS_RULE, oidOf, pointerTo, putObject } from "../lfs.ts";
import { openScene, type Scene } from "../publish/scene.ts";
import { GIT_ENV } from "./repository.ts";
import { ROADS } from "./whole-tree.ts";

const signal = new AbortController().signal;
const SOUND = "RIFF\0 not much of a sound\n".repeat(40);
const PHOTO = "a photo\n";
const FILES = {
  ...{ ".gitattributes": LFS_RULE, "a.txt": "a\n", "media/sound.bin": pointerTo(SOUND), "photo.bin": pointerTo(PHOTO) },
  // No rule makes these an object's.
  ...{
    "docs/pointer.md": pointerTo(SOUND),
    "docs/.gitattributes": "*.bin -filter\n",
    "docs/plain.bin": pointerTo(PHOTO),
  },
};

async function openLfs(overlayFilesMin: number) {
  await using stack = new AsyncDisposableStack();
  const scene = stack.use(await openScene({ content: FILES }));
  await chmod(scene.dir, 0o711);
  const workspace = stack.use(await openTree(scene, overlayFilesMin));
  const kept = stack.move();
  return { scene, workspace, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

async function openTree({ mirror, dir }: Scene, overlayFilesMin: number): Promise<Workspace> {
  const sha = await resolveCommit(mirror, "refs/heads/main");
  return Workspace.open({ mirror, sha, runsDir: join(dir, "runs"), overlayFilesMin }, signal);
}

/** As sandboxed code sees it. */
async function status({ treeDir }: Workspace): Promise<string> {
  const args = ["-c", "safe.directory=*", "status", "--porcelain"];
  return (await execa("git", args, { cwd: treeDir, env: GIT_ENV, extendEnv: false })).stdout;
}

async function changes(workspace: Workspace): Promise<readonly string[]> {
  const tree = await snapshot(workspace, signal);
  const listed = await listChanges(workspace.place, workspace.baseSha, tree);
  return listed.map(({ change, path }) => `${change} ${path}`);
}

describe.each(ROADS)("on the road of $road", ({ overlayFilesMin }) => {
  test("objects stand in the tree for their pointers, whose they are and as unchanged as they were", async () => {
    await using lfs = await openLfs(overlayFilesMin);
    const { scene, workspace } = lfs;
    for (const text of [SOUND, PHOTO]) await putObject(scene.github, text);
    const before = await lstat(join(workspace.treeDir, "photo.bin"));
    expect(await layObjects(workspace, scene, signal)).toEqual([]);
    const read = (path: string) => readFile(join(workspace.treeDir, path), "latin1");
    expect([await read("media/sound.bin"), await read("photo.bin")]).toEqual([SOUND, PHOTO]);
    expect([await read("docs/pointer.md"), await read("docs/plain.bin")]).toEqual([pointerTo(SOUND), pointerTo(PHOTO)]);
    const { uid, gid, mode } = await lstat(join(workspace.treeDir, "photo.bin"));
    expect({ uid, gid, mode }).toEqual({ uid: before.uid, gid: before.gid, mode: before.mode });
    expect(await status(workspace)).toBe("");
    const { tree } = await takeCheckpoint(workspace, signal);
    expect(await changes(workspace)).toEqual([]);
    expect(await listChanges(workspace.place, workspace.baseSha, tree)).toEqual([]);
    // Written again with the same bytes it is still the same object.
    await copyFile(join(workspace.treeDir, "photo.bin"), join(workspace.treeDir, "copy"));
    await rm(join(workspace.treeDir, "photo.bin"));
    await copyFile(join(workspace.treeDir, "copy"), join(workspace.treeDir, "photo.bin"));
    expect(await changes(workspace)).toEqual(["added copy"]);
  });

  test("what changed is committed as pointers, with its objects beside, and can be gone back from", async () => {
    await using lfs = await openLfs(overlayFilesMin);
    const { scene, workspace } = lfs;
    const { treeDir, place, baseSha } = workspace;
    for (const text of [SOUND, PHOTO]) await putObject(scene.github, text);
    await layObjects(workspace, scene, signal);
    const start = await takeCheckpoint(workspace, signal);
    await writeFile(join(treeDir, "photo.bin"), "another photo\n");
    await writeFile(join(treeDir, "new.bin"), "new\n");
    await writeFile(join(treeDir, "empty.bin"), "");
    await rm(join(treeDir, "media/sound.bin"));
    const tree = await snapshot(workspace, signal);
    expect((await listChanges(place, baseSha, tree)).map(({ change, path }) => `${change} ${path}`)).toEqual([
      ...["added empty.bin", "deleted media/sound.bin", "added new.bin", "modified photo.bin"],
    ]);
    expect(await readDiff(place, baseSha, tree)).toContain(`+oid sha256:${oidOf("another photo\n")}\n+size 14\n`);
    const identity = { name: "bot", email: "bot@example.com" };
    const commit = await commitTree(workspace, tree, { message: "Change", identity });
    const held = await readObjects(place, commit, signal);
    const texts = await Promise.all((held?.objects ?? []).map(async ({ oid }) => `${await held?.read(oid)}`));
    expect(texts.toSorted()).toEqual(["another photo\n", "new\n"]);
    expect(held?.objects).toContainEqual({ oid: oidOf("new\n"), bytes: 4 });
    await restoreCheckpoint(workspace, start, signal);
    const read = (path: string) => readFile(join(treeDir, path), "latin1");
    expect([await read("media/sound.bin"), await read("photo.bin")]).toEqual([SOUND, PHOTO]);
    expect([await status(workspace), await changes(workspace)]).toEqual(["", []]);
  });

  test("a set-up that writes pointers or other things over objects leaves objects", async () => {
    await using lfs = await openLfs(overlayFilesMin);
    const { scene, workspace } = lfs;
    for (const text of [SOUND, PHOTO]) await putObject(scene.github, text);
    await layObjects(workspace, scene, signal);
    await writeFile(join(workspace.treeDir, "photo.bin"), "the set-up was here\n");
    await rm(join(workspace.treeDir, "media"), { recursive: true });
    expect(await putBackTracked(workspace, signal)).toEqual(expect.arrayContaining(["photo.bin", "media/sound.bin"]));
    const read = (path: string) => readFile(join(workspace.treeDir, path), "latin1");
    expect([await read("media/sound.bin"), await read("photo.bin")]).toEqual([SOUND, PHOTO]);
    expect([await status(workspace), await changes(workspace)]).toEqual(["", []]);
    // Objects that nobody touched are not written again.
    expect(await putBackTracked(workspace, signal)).toEqual([]);
  });

  test("attributes of the sandbox's own keep nothing out of a diff", async () => {
    await using lfs = await openLfs(overlayFilesMin);
    const { workspace } = lfs;
    await writeFile(join(workspace.treeDir, ".gitattributes"), "* filter=lfs\n");
    await writeFile(join(workspace.treeDir, "a.txt"), "mallory was here\n");
    const diff = await readDiff(workspace.place, workspace.baseSha, await snapshot(workspace, signal));
    expect(diff).toContain("+mallory was here");
  });
});

test("what the forge does not have, or may not give, stays a pointer and is named", async () => {
  await using lfs = await openLfs(Infinity);
  const { scene, workspace } = lfs;
  await putObject(scene.github, SOUND);
  expect(await layObjects(workspace, scene, signal)).toEqual(["photo.bin"]);
  expect(await readFile(join(workspace.treeDir, "photo.bin"), "utf8")).toBe(pointerTo(PHOTO));
  expect(await status(workspace)).toBe("");
  await using other = await openTree(scene, Infinity);
  await putObject(scene.github, PHOTO);
  scene.github.failNext({ path: /lfs\/objects\/batch$/, status: 403 });
  expect(await layObjects(other, scene, signal)).toEqual(["photo.bin"]);
  // What the mirror has is asked for no more.
  expect(await readFile(join(other.treeDir, "media/sound.bin"), "utf8")).toBe(SOUND);
});

test("an object that is not what it says, or a forge that breaks off, is tried again later, and nothing is kept", async () => {
  await using lfs = await openLfs(Infinity);
  const { scene, workspace } = lfs;
  await putObject(scene.github, SOUND);
  await putObject(scene.github, PHOTO, "A PHOTO\n");
  await expect(layObjects(workspace, scene, signal)).rejects.toThrow(TransientError);
  const kept = await readdir(join(scene.mirror.gitDir, "lfs"), { recursive: true });
  expect(kept.filter((path) => /[0-9a-f]{64}/.test(path)).map((path) => path.slice(3))).toEqual([oidOf(SOUND)]);
  await putObject(scene.github, PHOTO);
  scene.github.failNext({ path: /lfs\/objects\/batch$/, dropConnection: true });
  expect(await layObjects(workspace, scene, signal)).toEqual([]);
  scene.github.failNext({ path: /lfs\/objects\/batch$/, status: 503, times: 2 });
  await rm(join(scene.mirror.gitDir, "lfs"), { recursive: true });
  await using other = await openTree(scene, Infinity);
  await expect(layObjects(other, scene, signal)).rejects.toThrow("Git LFS answered with status 503");
});

test("a pointer is one to the letter", () => {
  const object = { oid: "0".repeat(64), bytes: 12 };
  expect(readPointer(renderPointer(object))).toEqual(object);
  for (const text of ["", "hello\n", renderPointer(object).trim(), `${renderPointer(object)}more\n`])
    expect(readPointer(text)).toBeNull();
  expect(readPointer(renderPointer(object).replace("oid", "ext-0-x sha256:0\noid"))).toBeNull();
});
