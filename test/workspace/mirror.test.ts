import { execa } from "execa";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { TransientError } from "../../src/failure.ts";
import { mergeBase, Mirrors, resolveCommit } from "../../src/workspace/mirror.ts";
import { openGitHub, REPO } from "../github.ts";
import { git, requireSafeRef } from "../../src/workspace/git.ts";

const signal = new AbortController().signal;

async function openScene() {
  await using stack = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "pw-mirror-"));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  const github = stack.use(await openGitHub({ "a.txt": "one\n" }));
  const kept = stack.move();
  return {
    ...{ dir, github, mirrors: new Mirrors(dir) },
    repo: { installationId: 1, id: 7, owner: "acme", name: "widget", defaultBranch: "main" },
    access: { url: `${github.url}/${REPO}.git`, token: github.tokenFor("ada") },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

test("a mirror follows branches that move and that go away, and has the heads of the pulls asked for", async () => {
  await using scene = await openScene();
  const { github, mirrors, repo, access } = scene;
  const side = await github.commitFiles(REPO, "side", {
    login: "ada",
    message: "s",
    from: "main",
    files: { "b.txt": "b\n" },
  });
  let mirror = await mirrors.fetch(repo, [], access, signal);
  const base = await resolveCommit(mirror, "refs/heads/main");
  expect(await resolveCommit(mirror, "refs/heads/side")).toBe(side);
  const moved = await github.commitFiles(REPO, "main", { login: "ada", message: "m", files: { "a.txt": "two\n" } });
  await execa("git", ["update-ref", "-d", "refs/heads/side"], { cwd: github.gitDir(REPO) });
  await execa("git", ["update-ref", "refs/pull/1/head", side], { cwd: github.gitDir(REPO) });
  mirror = await mirrors.fetch(repo, [1], access, signal);
  expect(await resolveCommit(mirror, "refs/heads/main")).toBe(moved);
  expect(await resolveCommit(mirror, "refs/pull/1/head")).toBe(side);
  expect(await mergeBase(mirror, moved, side)).toBe(base);
  await expect(resolveCommit(mirror, "refs/heads/side")).rejects.toThrow("rev-parse failed");
});

test("many fetches of one repository at once all succeed, and one that fails spoils no other", async () => {
  await using scene = await openScene();
  const { mirrors, repo, access } = scene;
  const wrong = { ...access, token: "ghs_wrong" };
  const results = await Promise.allSettled([
    ...[mirrors.fetch(repo, [], access, signal), mirrors.fetch(repo, [], wrong, signal)],
    ...[mirrors.fetch(repo, [], access, signal), mirrors.fetch(repo, [], access, signal)],
  ]);
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
  expect(results[1]).toMatchObject({ reason: expect.any(TransientError) });
});

test("the token is nowhere on disk and in no argument", async () => {
  await using scene = await openScene();
  const { dir, mirrors, repo, access } = scene;
  await mirrors.fetch(repo, [], access, signal);
  const basic = Buffer.from(`x-access-token:${access.token}`).toString("base64");
  const found = await execa("grep", ["-rlE", `${access.token}|${basic.slice(0, 20)}`, dir], { reject: false });
  expect(found.stdout).toBe("");
  // git says what it was called with when it fails.
  const place = { gitDir: join(dir, "7.git"), workTree: null };
  const error = await git(place, ["fetch", "--quiet", `${access.url}x`], { access }).catch((reason: unknown) => reason);
  expect(String(error)).toMatch(/fetch failed/);
  expect(String(error)).not.toContain(access.token);
});

test("without access no protocol is open, file included", async () => {
  await using scene = await openScene();
  const { dir, mirrors, repo, access } = scene;
  const { gitDir } = await mirrors.fetch(repo, [], access, signal);
  for (const url of [access.url, `file://${gitDir}`, "ext::sh -c true", "ssh://localhost/x", "git://localhost/x"]) {
    await expect(git({ gitDir: join(dir, "7.git"), workTree: null }, ["ls-remote", url]), url).rejects.toThrow(
      /not allowed/,
    );
  }
});

test("a mirror is fetched by one at a time, whoever they are, and its kept commits outlive its repair", async () => {
  await using scene = await openScene();
  const { dir, mirrors, github, repo, access } = scene;
  const others = new Mirrors(dir); // As another process: file locks know no difference.
  const opened = await Promise.all([mirrors, others, mirrors, others].map((m) => m.fetch(repo, [], access, signal)));
  for (const mirror of opened) mirror[Symbol.dispose]();
  const gitDir = join(dir, "7.git");
  const tip = await resolveCommit({ gitDir }, "refs/heads/main");
  await execa("git", ["update-ref", "refs/pullwright/task-1", tip], { cwd: gitDir });
  const moved = await github.commitFiles(REPO, "main", { login: "ada", message: "m", files: { "a.txt": "two\n" } });
  // As a killed git leaves it.
  await writeFile(join(gitDir, "refs/heads/main.lock"), "");
  using mirror = await mirrors.fetch(repo, [], access, signal);
  expect(await resolveCommit(mirror, "refs/heads/main")).toBe(moved);
  expect(await resolveCommit(mirror, "refs/pullwright/task-1")).toBe(tip);
  expect((await readdir(dir)).toSorted()).toEqual(["7.git", "7.turn", "7.use"]);
});

test.each(["objects", "HEAD", "refs", "config"])("a mirror without its %s is cloned anew", async (part) => {
  await using scene = await openScene();
  const { dir, mirrors, repo, access } = scene;
  (await mirrors.fetch(repo, [], access, signal))[Symbol.dispose]();
  await rm(join(dir, "7.git", part), { recursive: true });
  using mirror = await mirrors.fetch(repo, [], access, signal);
  const tip = await resolveCommit(mirror, "refs/heads/main");
  expect((await execa("git", ["show", `${tip}:a.txt`], { cwd: mirror.gitDir })).stdout).toBe("one");
});

test("the mirrors not used for longest make room, never one in use", async () => {
  await using scene = await openScene();
  const { dir, repo, access } = scene;
  const mirrors = new Mirrors(dir, { bytesMax: 1 });
  const there = async () => (await readdir(dir)).filter((name) => name.endsWith(".git")).toSorted();
  const first = await mirrors.fetch({ ...repo, id: 1 }, [], access, signal);
  const second = await mirrors.fetch({ ...repo, id: 2 }, [], access, signal);
  expect(await there()).toEqual(["1.git", "2.git"]);
  first[Symbol.dispose]();
  using third = await mirrors.fetch({ ...repo, id: 3 }, [], access, signal);
  expect(await there()).toEqual(["2.git", "3.git"]);
  second[Symbol.dispose]();
  expect(third.gitDir).toBe(join(dir, "3.git"));
  using again = await mirrors.fetch({ ...repo, id: 1 }, [], access, signal);
  expect(await resolveCommit(again, "refs/heads/main")).toMatch(/^[0-9a-f]{40}$/);
  expect(await there()).toEqual(["1.git", "3.git"]);
});

test("a history that old tools wrote badly is mirrored all the same, a tree that leads git astray is not", async () => {
  await using scene = await openScene();
  const { mirrors, repo, access } = scene;
  const cwd = scene.github.gitDir(REPO);
  const write = async (type: string, input: string | Buffer) =>
    (await execa("git", ["hash-object", "-t", type, "-w", "--literally", "--stdin"], { cwd, input })).stdout;
  const tree = (await execa("git", ["rev-parse", "main^{tree}"], { cwd })).stdout;
  // As in the history of psf/requests, and as some importers wrote: no space before the date, an hour of 54 minutes.
  const bad = "author A <a@b>1300000000 +518\ncommitter A <a@b> 1300000000 -7654321\n";
  const commit = await write("commit", `tree ${tree}\n${bad}\nOld\n`);
  await execa("git", ["update-ref", "refs/heads/main", commit], { cwd });
  using mirror = await mirrors.fetch(repo, [], access, signal);
  expect(await resolveCommit(mirror, "refs/heads/main")).toBe(commit);
  const modules = await write("blob", '[submodule "../../x"]\n\tpath = x\n\turl = --upload-pack=x\n');
  const trap = await write("tree", Buffer.concat([Buffer.from("100644 .gitmodules\0"), Buffer.from(modules, "hex")]));
  const hostile = await write("commit", `tree ${trap}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nTrap\n`);
  await execa("git", ["update-ref", "refs/heads/main", hostile], { cwd });
  await expect(mirrors.fetch(repo, [], access, signal)).rejects.toThrow(TransientError);
});

test("a mirror is there before any task asks for it", async () => {
  await using scene = await openScene();
  await scene.mirrors.warm(scene.repo, scene.access, signal);
  expect(await resolveCommit({ gitDir: join(scene.dir, "7.git") }, "refs/heads/main")).toMatch(/^[0-9a-f]{40}$/);
});

test.each([
  ["--upload-pack=x"],
  ["-x"],
  ["a..b"],
  ["a b"],
  ["a\u3000b"],
  ["a@{1}"],
  ["a.lock"],
  ["refs/heads/a;id"],
  [""],
])("the branch name %j is refused", (name) => {
  expect(() => requireSafeRef(name)).toThrow("branch name");
});
