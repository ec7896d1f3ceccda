/** The archive of set-ups: what goes in comes out, for one key, within bounds; and what a set-up's secrets leave behind. */
import { execa } from "execa";
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { SetUpCache } from "../../src/workspace/set-up-cache.ts";
import { listMade, putBackTracked } from "../../src/workspace/set-up-traces.ts";
import { leaveOut, removeSecrets } from "../../src/workspace/set-up-traces.ts";
import { Workspace } from "../../src/workspace/workspace.ts";
import { openRepository, type Files } from "./repository.ts";

const never = new AbortController().signal;
const isRoot = process.getuid?.() === 0;

type Place = AsyncDisposable & { readonly cacheDir: string; readonly open: () => Promise<Workspace> };

async function openPlace(files: Files = { "src/a.txt": "a\n" }): Promise<Place> {
  await using stack = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "pw-cache-"));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  await chmod(dir, 0o711);
  const { mirror, commits } = stack.use(await openRepository(files));
  const opening = { mirror, sha: commits[0] ?? "", runsDir: join(dir, "runs") };
  const undo = stack.move();
  const open = () => Workspace.open(opening, never);
  return { cacheDir: join(dir, "cache"), open, [Symbol.asyncDispose]: () => undo.disposeAsync() };
}

/** Writes into the tree as sandboxed code would: under its owner. */
async function make({ treeDir, owner }: Workspace, script: string): Promise<void> {
  const drop = owner === null ? [] : ["setpriv", `--reuid=${owner}`, `--regid=${owner}`, "--clear-groups", "--"];
  const [program = "", ...args] = [...drop, "bash", "-ec", script];
  await execa(program, args, { cwd: treeDir });
}

const made = (workspace: Workspace) => listMade(workspace, never);

test("everything that was made comes back: names, links, rights, empty folders, and it belongs to the new tree's owner", async () => {
  await using place = await openPlace();
  const cache = new SetUpCache(place.cacheDir);
  await using first = await place.open();
  await make(
    first,
    "mkdir -p node_modules/.bin node_modules/p/deep empty src/gen; echo x >node_modules/p/deep/x; chmod 755 node_modules/p/deep/x; ln -s ../p/deep/x node_modules/.bin/x; echo g >src/gen/g; echo b >src/b.txt; echo n >$'odd\\nname'; echo m >$'\\xff'",
  );
  expect(await made(first)).toEqual(["empty", "node_modules", "odd\nname", "src/b.txt", "src/gen", "\xff"]);
  expect(await cache.keep("aa", first.treeDir, await made(first), never)).toBe(true);
  const list = async ({ treeDir }: Workspace) => {
    const printed = await execa("find", [".", "-path", "./.git", "-prune", "-o", "-printf", "%y %m %p %l\\n"], {
      ...{ cwd: treeDir, encoding: "latin1" },
    });
    return printed.stdout.split("\n").sort();
  };
  const wanted = await list(first);
  // From the archive, then from a copy that was unpacked before, which serves once.
  for (const isPrepared of [false, true, false]) {
    if (isPrepared) await cache.prepare("aa", never);
    expect((await readdir(place.cacheDir)).sort()).toEqual(isPrepared ? ["aa.spare", "aa.tar"] : ["aa.tar"]);
    await using next = await place.open();
    expect(await cache.restore("aa", next.treeDir, never)).toBe(true);
    expect(await list(next)).toEqual(wanted);
    const owners = [".", "node_modules", "node_modules/p/deep/x", "src/b.txt"].map((path) =>
      lstat(join(next.treeDir, path)),
    );
    expect(new Set((await Promise.all(owners)).map(({ uid }) => uid)).size).toBe(1);
    expect(await cache.restore("bb", next.treeDir, never)).toBe(false);
  }
});

test("a prepared copy is not moved through a link or over a file that the tree has by now", async () => {
  await using place = await openPlace({ "lib/a.txt": "a\n" });
  const cache = new SetUpCache(place.cacheDir);
  await using first = await place.open();
  await make(first, "echo made >lib/made; echo made >b.txt; mkdir new; echo made >new/c");
  await cache.keep("aa", first.treeDir, await made(first), never);
  await cache.prepare("aa", never);
  const outside = await mkdtemp(join(tmpdir(), "pw-outside-"));
  await chmod(outside, 0o777);
  await using second = await place.open();
  await make(second, `rm -r lib; ln -s ${outside} lib; echo tracked >b.txt`);
  expect(await cache.restore("aa", second.treeDir, never)).toBe(true);
  expect(await readdir(outside)).toEqual([]);
  expect(await readFile(join(second.treeDir, "b.txt"), "utf8")).toBe("tracked\n");
  expect(await readFile(join(second.treeDir, "new/c"), "utf8")).toBe("made\n");
  await rm(outside, { recursive: true });
});

test("a file that is tracked by now is as the commit has it, and a tracked link is not written through", async () => {
  await using place = await openPlace({ "src/a.txt": "a\n", "b.txt": "b\n" });
  const outside = await mkdtemp(join(tmpdir(), "pw-outside-"));
  await chmod(outside, 0o777);
  await using workspace = await place.open();
  await make(workspace, `rm -r src b.txt; ln -s ${outside} src; mkdir b.txt; echo y >b.txt/y`);
  expect([...(await putBackTracked(workspace, never))].sort()).toEqual(["b.txt", "src/a.txt"]);
  expect(await readFile(join(workspace.treeDir, "src/a.txt"), "utf8")).toBe("a\n");
  expect(await readFile(join(workspace.treeDir, "b.txt"), "utf8")).toBe("b\n");
  expect(await readdir(outside)).toEqual([]);
  const owners = [".", "src", "src/a.txt", "b.txt"].map(
    async (path) => (await lstat(join(workspace.treeDir, path))).uid,
  );
  expect(new Set(await Promise.all(owners)).size).toBe(1);
  await rm(outside, { recursive: true });
});

test("what was not used for longest makes room, and what a dead worker left is removed", async () => {
  await using place = await openPlace();
  await using workspace = await place.open();
  await make(workspace, "mkdir made; head -c 100000 /dev/zero >made/zeros");
  const cache = new SetUpCache(place.cacheDir, { bytesMax: 250_000, archiveBytesMax: 200_000 });
  const keep = async (key: string, minute: number) => {
    expect(await cache.keep(key, workspace.treeDir, ["made"], never)).toBe(true);
    await utimes(join(place.cacheDir, `${key}.tar`), 0, minute * 60);
  };
  await keep("a1", 1);
  await keep("b2", 2);
  await writeFile(join(place.cacheDir, "dead.new"), "half");
  await utimes(join(place.cacheDir, "dead.new"), 0, 0);
  expect(await cache.restore("a1", workspace.treeDir, never)).toBe(true); // Used now, so b2 is the oldest.
  await keep("c3", 3);
  expect((await readdir(place.cacheDir)).sort()).toEqual(["a1.tar", "c3.tar"]);
});

test("a set-up larger than an archive may be is not kept, even when it takes no room on the disk", async () => {
  await using place = await openPlace();
  await using workspace = await place.open();
  await make(workspace, "mkdir made; truncate -s 3G made/hole");
  const cache = new SetUpCache(place.cacheDir, { bytesMax: 1e9, archiveBytesMax: 1e6 });
  expect(await cache.keep("aa", workspace.treeDir, ["made"], never)).toBe(false);
  expect(await readdir(place.cacheDir)).toEqual([]);
});

test("the archives are for the server's user alone", async () => {
  await using place = await openPlace();
  await using workspace = await place.open();
  await make(workspace, "mkdir made");
  await new SetUpCache(place.cacheDir).keep("aa", workspace.treeDir, ["made"], never);
  const modes = [place.cacheDir, join(place.cacheDir, "aa.tar")].map(async (path) => (await stat(path)).mode & 0o777);
  expect(await Promise.all(modes)).toEqual([0o700, 0o600]);
});

test("files with a secret go, wherever they are and whatever else they hold; others stay", async () => {
  await using place = await openPlace();
  await using workspace = await place.open();
  await make(
    workspace,
    "mkdir -p made/deep .git/x; printf 'a\\0s3cret-token\\0' >made/deep/bin; echo s3cret-token >.git/x/t; echo s3cret >made/other; echo other-token >$'made/\\xff'; mkfifo made/pipe",
  );
  const values = ["s3cret-token", "other-token"];
  const tree = { treeDir: workspace.treeDir, made: await made(workspace) };
  expect(await removeSecrets(tree, values, never)).toBe(true);
  expect((await readdir(join(workspace.treeDir, "made"))).sort()).toEqual(["deep", "other", "pipe"]);
  expect(await readdir(join(workspace.treeDir, "made/deep"))).toEqual([]);
  expect(await readdir(join(workspace.treeDir, ".git/x"))).toEqual([]);
  expect(await removeSecrets(tree, values, never)).toBe(false);
});

test.skipIf(isRoot)("a folder that cannot be searched for secrets goes whole", async () => {
  await using place = await openPlace();
  await using workspace = await place.open();
  await make(workspace, "mkdir made; echo s3cret-token >made/t; chmod 0 made; mkdir fine");
  expect(await removeSecrets({ treeDir: workspace.treeDir, made: ["fine", "made"] }, ["s3cret-token"], never)).toBe(
    true,
  );
  expect((await readdir(workspace.treeDir)).sort()).toEqual(["src"]);
});

test("a link out of the tree is kept as a link, and nothing behind it is read", async () => {
  await using place = await openPlace();
  const outside = await mkdtemp(join(tmpdir(), "pw-outside-"));
  await writeFile(join(outside, "host"), "host s3cret-token");
  await using first = await place.open();
  await make(first, "mkdir made");
  await symlink(outside, join(first.treeDir, "made/out"));
  const cache = new SetUpCache(place.cacheDir);
  expect(await removeSecrets({ treeDir: first.treeDir, made: ["made"] }, ["s3cret-token"], never)).toBe(false);
  await cache.keep("aa", first.treeDir, ["made"], never);
  expect((await readFile(join(place.cacheDir, "aa.tar"))).includes("s3cret-token")).toBe(false);
  await rm(outside, { recursive: true });
});

test("names of any kind can be left out of a change", async () => {
  await using place = await openPlace();
  await using workspace = await place.open();
  await make(workspace, "mkdir 'a*b' '!c' '#d' 'e [f]'; touch 'a*b/x' '!c/x' '#d/x' 'e [f]/x' axb 'trail '");
  await mkdir(join(workspace.treeDir, "g"));
  const names = ["a*b", "!c", "#d", "e [f]", "trail "];
  await leaveOut(workspace.place, names);
  const { stdout } = await execa("git", ["status", "--porcelain", "-uall"], {
    ...{ cwd: workspace.treeDir, env: { GIT_DIR: workspace.gitDir, GIT_WORK_TREE: workspace.treeDir } },
  });
  expect(stdout.split("\n").filter((line) => line.startsWith("??"))).toEqual(["?? axb"]);
});
