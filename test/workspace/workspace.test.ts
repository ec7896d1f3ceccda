import { execa } from "execa";
import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { UserError } from "../../src/failure.ts";
import { hasCommit, keepCommit } from "../../src/workspace/mirror.ts";
import { commitTree, listChanges, readDiff, snapshot } from "../../src/workspace/snapshot.ts";
import { isOutward, trapIn } from "../../src/workspace/traps.ts";
import { Workspace } from "../../src/workspace/workspace.ts";
import { GIT_ENV, openRepository } from "./repository.ts";

const signal = new AbortController().signal;
const BASE = { "README.md": "# Base\n", "src/a.ts": "export const a = 1;\n".repeat(20), ".gitignore": "dist/\n" };

async function openWorkspace(repository: Awaited<ReturnType<typeof openRepository>>) {
  const sha = repository.commits.at(-1) ?? "";
  return Workspace.open({ mirror: repository.mirror, sha, runsDir: join(repository.dir, "runs") }, signal);
}

test("a workspace holds the files of its commit, and a history that the sandbox can read", async () => {
  await using repository = await openRepository({ "README.md": "# First\n" }, BASE);
  await using workspace = await openWorkspace(repository);
  expect(await readFile(join(workspace.treeDir, "README.md"), "utf8")).toBe("# Base\n");
  // As the sandbox's own /etc/gitconfig says.
  const inside = (...args: string[]) =>
    execa("git", ["-c", "safe.directory=*", ...args], { cwd: workspace.treeDir, env: GIT_ENV, extendEnv: false });
  expect((await inside("log", "--format=%s")).stdout).toBe("commit 2\ncommit 1");
  expect((await inside("status", "--porcelain")).stdout).toBe("");
});

test("a snapshot is what changed, renames found and ignored files left out, and its commit stands on the base", async () => {
  await using repository = await openRepository(BASE);
  await using workspace = await openWorkspace(repository);
  const at = (path: string) => join(workspace.treeDir, path);
  await rename(at("src/a.ts"), at("src/b.ts"));
  await writeFile(at("README.md"), "# Base\nmore\n");
  await mkdir(at("dist"));
  await writeFile(at("dist/out.js"), "built");
  await writeFile(at("src/.pullwright-left-behind"), "half a file");
  await writeFile(at("tool.sh"), "#!/bin/sh\n");
  await chmod(at("tool.sh"), 0o755);
  const tree = await snapshot(workspace, signal);
  expect(await listChanges(workspace.place, workspace.baseSha, tree)).toEqual([
    { path: "README.md", change: "modified", linesAdded: 1, linesDeleted: 0 },
    { path: "src/b.ts", change: "renamed", linesAdded: 0, linesDeleted: 0 },
    { path: "tool.sh", change: "added", linesAdded: 1, linesDeleted: 0 },
  ]);
  const identity = { name: "pullwright[bot]", email: "bot@example.com" };
  const commit = await commitTree(workspace, tree, { message: "Change", identity });
  await keepCommit(repository.mirror, workspace.gitDir, commit, "task-1");
  expect(await hasCommit(repository.mirror, commit)).toBe(true);
  const shown = await execa("git", ["show", "--no-patch", "--format=%an|%P|%s", commit], {
    cwd: repository.mirror.gitDir,
  });
  expect(shown.stdout).toBe(`pullwright[bot]|${workspace.baseSha}|Change`);
  expect(await readDiff(workspace.place, workspace.baseSha, tree)).toContain("new file mode 100755");
});

test("what sandboxed code wrote into .git, hooks and filters included, starts nothing on the host", async () => {
  await using repository = await openRepository(BASE);
  await using workspace = await openWorkspace(repository);
  const at = (path: string) => join(workspace.treeDir, path);
  const proof = join(repository.dir, "proof");
  const trap = `#!/bin/sh\ntouch ${proof}\n`;
  await mkdir(at(".git/hooks"), { recursive: true });
  for (const hook of ["pre-commit", "post-commit", "post-checkout", "pre-push", "post-index-change"]) {
    await writeFile(at(`.git/hooks/${hook}`), trap, { mode: 0o755 });
  }
  await writeFile(at("trap.sh"), trap, { mode: 0o755 });
  await writeFile(
    at(".git/config"),
    `[core]\n\tfsmonitor = ${at("trap.sh")}\n\tpager = ${at("trap.sh")}\n[filter "x"]\n\tclean = ${at("trap.sh")}\n\tprocess = ${at("trap.sh")}\n[diff "x"]\n\ttextconv = ${at("trap.sh")}\n\tcommand = ${at("trap.sh")}\n`,
  );
  await writeFile(at(".gitattributes"), "* filter=x diff=x\n");
  const tree = await snapshot(workspace, signal);
  const commit = await commitTree(workspace, tree, {
    message: "Change",
    identity: { name: "a", email: "a@example.com" },
  });
  await readDiff(workspace.place, workspace.baseSha, commit);
  await listChanges(workspace.place, workspace.baseSha, commit);
  await keepCommit(repository.mirror, workspace.gitDir, commit, "task-1");
  expect(existsSync(proof)).toBe(false);
});

test("a nested repository is added as files and never opened", async () => {
  await using repository = await openRepository(BASE);
  await using workspace = await openWorkspace(repository);
  const nested = join(workspace.treeDir, "vendor/lib");
  await mkdir(nested, { recursive: true });
  await writeFile(join(nested, "lib.ts"), "export {};\n");
  await execa("git", ["init", "--quiet"], { cwd: nested, env: GIT_ENV, extendEnv: false });
  await writeFile(join(nested, ".git/HEAD"), "ref: refs/heads/../../../../../../etc/passwd\n");
  const tree = await snapshot(workspace, signal);
  expect((await listChanges(workspace.place, workspace.baseSha, tree)).map(({ path }) => path)).toEqual([
    "vendor/lib/lib.ts",
  ]);
});

test("a link out of the repository is refused, one that stays inside is kept", async () => {
  await using repository = await openRepository(BASE);
  await using workspace = await openWorkspace(repository);
  await symlink("README.md", join(workspace.treeDir, "inside"));
  await snapshot(workspace, signal);
  await symlink("../../etc/passwd", join(workspace.treeDir, "outside"));
  await expect(snapshot(workspace, signal)).rejects.toThrow('a link at "outside" that leads out');
});

test("a .git replaced by a file or a link leads the host nowhere", async () => {
  await using repository = await openRepository(BASE);
  await using workspace = await openWorkspace(repository);
  await rm(join(workspace.treeDir, ".git"), { recursive: true });
  await writeFile(join(workspace.treeDir, ".git"), "gitdir: /etc\n");
  await writeFile(join(workspace.treeDir, "new.txt"), "new\n");
  const tree = await snapshot(workspace, signal);
  expect((await listChanges(workspace.place, workspace.baseSha, tree)).map(({ path }) => path)).toEqual(["new.txt"]);
});

test("nothing is left of a workspace that was closed", async () => {
  await using repository = await openRepository(BASE);
  const workspace = await openWorkspace(repository);
  await workspace[Symbol.asyncDispose]();
  expect(existsSync(workspace.treeDir)).toBe(false);
  expect(existsSync(workspace.gitDir)).toBe(false);
});

test("a workspace whose folders were closed to their own owner is removed all the same", async () => {
  await using repository = await openRepository(BASE);
  const workspace = await openWorkspace(repository);
  const closed = join(workspace.treeDir, "closed/inner");
  await mkdir(closed, { recursive: true });
  await writeFile(join(closed, "a.txt"), "a");
  await chmod(closed, 0o000);
  await chmod(join(workspace.treeDir, "closed"), 0o555);
  await workspace[Symbol.asyncDispose]();
  expect(existsSync(workspace.treeDir)).toBe(false);
});

test("a workspace with folders deeper than a path is long is removed", async () => {
  await using repository = await openRepository(BASE);
  const workspace = await openWorkspace(repository);
  await execa("perl", ["-e", 'for (1 .. 100) { mkdir "d" x 100; chdir "d" x 100 }'], { cwd: workspace.treeDir });
  await workspace[Symbol.asyncDispose]();
  expect(existsSync(workspace.treeDir)).toBe(false);
});

test.each([
  ["a", "b", false],
  ["dir/a", "../b", false],
  ["dir/a", "../../b", true],
  ["a", "/etc/passwd", true],
  ["dir/a", "x/../../../b", true],
  ["a", "..", true],
])("a link at %s to %s: outward is %s", (path, target, expected) => {
  expect(isOutward(path, target)).toBe(expected);
});

test.each([
  ["src/aux.ts", "device"],
  ["NUL", "device"],
  ["com1 .txt", "device"],
  ["lpt\u00b9", "device"],
  ["conin$", "device"],
  [`${"d/".repeat(500)}x`, "longer than 900 bytes"],
  ["src/auxiliary.ts", null],
  ["console", null],
  ["com10", null],
])("the path %.30s has a trap: %s", (path, trap) => {
  if (trap === null) expect(trapIn(path)).toBeNull();
  else expect(trapIn(path)).toContain(trap);
});

test("a name that Windows keeps for a device is refused when it is new, and named", async () => {
  await using repository = await openRepository({ ...BASE, "old/con.md": "was there\n" });
  await using workspace = await openWorkspace(repository);
  await writeFile(join(workspace.treeDir, "README.md"), "changed\n");
  await snapshot(workspace, signal);
  await writeFile(join(workspace.treeDir, "src/aux.ts"), "new\n");
  await expect(snapshot(workspace, signal)).rejects.toThrow('"src/aux.ts", a name that Windows keeps for a device');
});

test.each([
  ["a URL that is an option", "sub", "--upload-pack=touch /tmp/x"],
  ["a name that leads out", "../../x", "https://example.com/x.git"],
])("a .gitmodules with %s is refused with what to do, and nothing else of git's is", async (_, name, url) => {
  await using repository = await openRepository(BASE);
  await using workspace = await openWorkspace(repository);
  const modules = (chosen: string, from: string) => `[submodule "${chosen}"]\n\tpath = sub\n\turl = ${from}\n`;
  const file = join(workspace.treeDir, ".gitmodules");
  await writeFile(file, modules("sub", "https://example.com/sub.git"));
  await snapshot(workspace, signal);
  await writeFile(file, modules(name, url));
  const refused = snapshot(workspace, signal);
  await expect(refused).rejects.toBeInstanceOf(UserError);
  await expect(refused).rejects.toThrow('which writes ".gitmodules"');
  await rm(file);
  await writeFile(join(workspace.treeDir, "new.txt"), "new\n");
  await snapshot(workspace, signal);
});
