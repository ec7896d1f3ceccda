/** Hostile .git folders and repository contents, and the host's git going through all the verbs of a run over them. */
import { execa } from "execa";
import { existsSync } from "node:fs";
import { appendFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { UserError } from "../../src/failure.ts";
import { pushCommit } from "../../src/publish/push.ts";
import { restoreCheckpoint, takeCheckpoint } from "../../src/workspace/checkpoint.ts";
import { keepCommit, Mirrors, resolveCommit } from "../../src/workspace/mirror.ts";
import { commitTree, listChanges, readDiff, snapshot } from "../../src/workspace/snapshot.ts";
import { Workspace } from "../../src/workspace/workspace.ts";
import { openGitHub, REPO } from "../github.ts";
import { GIT_TRAPS, type GitTrap } from "./git-traps.ts";
import { GIT_ENV } from "./repository.ts";

const signal = new AbortController().signal;
const IDENTITY = { name: "pullwright[bot]", email: "bot@example.com" };
/** What a stranger's repository brings along, committed: attributes that name drivers, and a submodule's settings. */
const HOSTILE = {
  "README.md": "# Widget\n",
  "src/a.ts": "export const a = 1;\n",
  ".gitattributes": "* filter=x diff=x merge=x text=auto ident\n*.ts working-tree-encoding=UTF-16LE\n",
  ".lfsconfig": "[lfs]\n\turl = http://127.0.0.1:1/\n\tcustomtransfer.x.path = /bin/false\n",
};

async function openScene() {
  await using stack = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "pw-traps-"));
  stack.defer(() => rm(dir, { recursive: true, force: true, maxRetries: 20 }));
  const github = stack.use(await openGitHub(HOSTILE));
  const access = { url: `${github.url}/${REPO}.git`, token: github.tokenFor("ada") };
  const other = join(dir, "other.git");
  await execa("git", ["init", "--quiet", "--bare", other], { env: GIT_ENV, extendEnv: false });
  const kept = stack.move();
  const repo = { installationId: 1, id: 7, owner: "acme", name: "widget", defaultBranch: "main" };
  return {
    dir,
    github,
    access,
    other,
    repo,
    mirrors: new Mirrors(join(dir, "mirrors")),
    close: () => kept.disposeAsync(),
  };
}

let scene: Awaited<ReturnType<typeof openScene>>; // Each trap has a workspace and a branch of its own in it.
beforeAll(async () => void (scene = await openScene()));
afterAll(() => scene.close());

/** Puts the trap into the tree, and its program beside the tree: a sandbox would show both at the same place. */
async function plant(trap: GitTrap, treeDir: string, id: string) {
  const mark = join(scene.dir, `mark-${id}`);
  const program = join(scene.dir, `trap-${id}.sh`);
  await writeFile(program, `#!/bin/sh\ntouch ${mark}\ncat >/dev/null 2>&1 </dev/null\nexit 0\n`, { mode: 0o755 });
  const names = { TRAP: program, ROOT: treeDir, OTHER: scene.other, NAME: basename(program) };
  const fill = (text: string) =>
    Object.entries(names).reduce((all, [name, value]) => all.replaceAll(`@${name}@`, value), text);
  for (const [path, text] of Object.entries(trap.files ?? {})) {
    await mkdir(dirname(join(treeDir, path)), { recursive: true });
    await writeFile(join(treeDir, path), fill(text));
  }
  if (trap.config !== undefined) await appendFile(join(treeDir, ".git/config"), `\n${fill(trap.config)}\n`);
  if (trap.script !== undefined) {
    await execa("bash", ["-c", fill(trap.script)], { cwd: treeDir, env: GIT_ENV, extendEnv: false });
  }
  return mark;
}

async function change(treeDir: string) {
  await appendFile(join(treeDir, "README.md"), "changed\n");
  await writeFile(join(treeDir, "new.txt"), "new\n");
}

const cases = GIT_TRAPS.map((trap, index) => ({ name: trap.name, trap, id: `${index}` }));
/** Settings alone do not hide each other, so they share a workspace; each has a program and a mark of its own. */
const settings = cases.filter(({ trap }) => trap.script === undefined);
const sets = [
  { name: `${settings.length} settings and attributes`, traps: settings },
  ...cases.filter(({ trap }) => trap.script !== undefined).map((each) => ({ name: each.name, traps: [each] })),
];

test.each(sets)("$name: nothing of it runs on the host", { timeout: 60_000 }, async ({ traps }) => {
  const { mirrors, repo, access, dir } = scene;
  using mirror = await mirrors.fetch(repo, [], access, signal);
  const sha = await resolveCommit(mirror, "refs/heads/main");
  const runsDir = join(dir, "runs");
  const overlayFilesMin = Number.POSITIVE_INFINITY;
  await using workspace = await Workspace.open({ mirror, sha, runsDir, overlayFilesMin }, signal);
  const before = await takeCheckpoint(workspace, signal);
  const id = traps.map((each) => each.id).join("-");
  const marks: string[] = [];
  for (const each of traps) marks.push(await plant(each.trap, workspace.treeDir, each.id));
  await change(workspace.treeDir);
  try {
    const tree = await snapshot(workspace, signal);
    const changes = (await listChanges(workspace.place, sha, tree)).map(({ path }) => path);
    expect(changes).toEqual(expect.arrayContaining(["README.md", "new.txt"]));
    expect(changes.filter((path) => path.toLowerCase().startsWith(".git/"))).toEqual([]);
    expect(await readDiff(workspace.place, sha, tree)).toContain("+changed");
    const commit = await commitTree(workspace, tree, { message: "Change", identity: IDENTITY });
    await keepCommit(mirror, workspace.gitDir, commit, `task-${id}`);
    const push = { kind: "push", role: "push", commit, to: { kind: "own-branch", branch: `agent/${id}` } } as const;
    const desk = {
      ...{ fallbackSuffix: "2", earlier: null, intend: async () => {}, assertCurrent: async () => {} },
      openAccess: async () => access,
      readFacts: async () => ({ kind: "gone" }) as const,
    };
    expect((await pushCommit(push, { mirror, ...desk })).ref).toBe(`agent/${id}`);
    await using again = await Workspace.open({ mirror, sha: commit, runsDir, overlayFilesMin }, signal);
    await takeCheckpoint(again, signal);
    await restoreCheckpoint(workspace, before, signal);
  } catch (error) {
    if (!(error instanceof UserError)) throw error; // Refused, and the asker is told why.
  }
  expect(marks.filter((mark) => existsSync(mark))).toEqual([]);
});

/** Traps that wait for a verb a run has no use for (merge, rebase, submodule update), or that leak rather than run. */
const SPRUNG_MIN = 20;
const VERBS = [
  "status",
  "add -A",
  "diff --cached",
  "commit -m x",
  "checkout HEAD~0 .",
  "log -1",
  "fetch",
  "push origin HEAD",
];

test("the traps are real: most spring for a git that trusts its folder", { timeout: 120_000 }, async () => {
  const { mirrors, repo, access, dir } = scene;
  using mirror = await mirrors.fetch(repo, [], access, signal);
  const sha = await resolveCommit(mirror, "refs/heads/main");
  await using workspace = await Workspace.open({ mirror, sha, runsDir: join(dir, "careless") }, signal);
  const sprung: string[] = [];
  for (const { name, trap, id } of cases.filter(({ name: each }) => !each.includes("pipe"))) {
    const treeDir = join(dir, `careless-${id}`);
    await execa("cp", ["-r", workspace.treeDir, treeDir]);
    const mark = await plant(trap, treeDir, `careless-${id}`);
    await change(treeDir);
    const { GIT_CONFIG_GLOBAL: _unset, ...env } = { ...GIT_ENV, PATH: `${treeDir}:${GIT_ENV.PATH}`, HOME: treeDir };
    const options = { cwd: treeDir, env, extendEnv: false, reject: false, timeout: 2_000, stdin: "ignore" } as const;
    for (const verb of VERBS) await execa("git", verb.split(" "), options);
    if (existsSync(mark)) sprung.push(name);
  }
  expect(sprung.length, sprung.join(", ")).toBeGreaterThanOrEqual(SPRUNG_MIN);
});
