import { execa } from "execa";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { App, Octokit } from "octokit";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { GitHub } from "../../sim/github/github.ts";
import { openForge } from "../../src/forge/github.ts";
import type { Publication } from "../../src/publication.ts";
import { perform, type Desk, type PublicationLog } from "../../src/publish/perform.ts";
import type { Ledgered } from "../../src/store/publications.ts";
import type { Task } from "../../src/task.ts";
import { commitTree, snapshot } from "../../src/workspace/snapshot.ts";
import { keepCommit, Mirrors, resolveCommit, type Mirror } from "../../src/workspace/mirror.ts";
import { Workspace } from "../../src/workspace/workspace.ts";
import { actAs, AT, openGitHub, REPO } from "../github.ts";
import { task as buildTask, voice } from "./builders.ts";

const signal = new AbortController().signal;

/** What store/publications keeps, in memory: these tests are about the forge. */
function memoryLog(): PublicationLog & { forget: (role: string) => void } {
  const rows = new Map<string, Ledgered>();
  return {
    find: async (role) => rows.get(role) ?? null,
    intend: async (role, intent) => {
      const { ref = null, url = null } = rows.get(role) ?? {};
      rows.set(role, { state: "intended", role, intent, attempt: 1, ref, url });
    },
    complete: async (role, { ref, url }) => {
      rows.set(role, { state: "done", role, intent: rows.get(role)?.intent ?? null, attempt: 1, ref, url });
    },
    // As when a worker died between the effect and its record.
    forget: (role) => {
      const row = rows.get(role);
      if (row) rows.set(role, { ...row, state: "intended", ref: null, url: null });
    },
  };
}

type Scene = AsyncDisposable & {
  readonly github: GitHub;
  readonly task: Task;
  readonly mirror: Mirror;
  readonly log: ReturnType<typeof memoryLog>;
  readonly desk: Desk;
  readonly commit: (files: Readonly<Record<string, string>>, from?: string) => Promise<string>;
};

async function openScene(): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "pw-perform-"));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  const github = stack.use(await openGitHub({ "a.txt": "one\n" }));
  const { reader, writer } = openForge(github);
  const task = buildTask({
    repo: { ...(await repoRef(github)), owner: "acme", name: "widget", defaultBranch: "main" },
  });
  const mirror = await new Mirrors(dir).fetch(task.repo, [], await reader.readAccess(task.repo), signal);
  const log = memoryLog();
  const kept = stack.move();
  return {
    ...{ github, task, mirror, log },
    desk: { writer, task, log, mirror, assertCurrent: async () => {} },
    commit: async (files, from = "refs/heads/main") => {
      const sha = await resolveCommit(mirror, from);
      await using workspace = await Workspace.open({ mirror, sha, runsDir: join(dir, "runs") }, signal);
      for (const [path, text] of Object.entries(files)) await writeFile(join(workspace.treeDir, path), text);
      const tree = await snapshot(workspace, signal);
      const commit = await commitTree(workspace, tree, {
        message: "Change",
        identity: { name: "bot", email: "bot@example.com" },
      });
      await keepCommit(mirror, workspace.gitDir, commit, task.id);
      return commit;
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** The ids GitHub gave, as a delivery would name them. */
async function repoRef(github: GitHub): Promise<{ installationId: number; id: number }> {
  const app = new App({
    appId: github.appId,
    privateKey: github.privateKey,
    Octokit: Octokit.defaults({ baseUrl: github.apiUrl }),
  });
  const installationId = (await app.octokit.rest.apps.getRepoInstallation(AT)).data.id;
  const id = (await (await app.getInstallationOctokit(installationId)).rest.repos.get(AT)).data.id;
  return { installationId, id };
}

const push = (commit: string, branch = "agent/12-x"): Publication => ({
  kind: "push",
  role: "push",
  commit,
  to: { kind: "own-branch", branch },
});
const pull: Publication = {
  ...{ kind: "pull", role: "pull", headRole: "push", base: "main", draft: false },
  ...{ title: voice.sayTitle("Title"), body: voice.say("Body") },
};
const comment = (task: Task, body: string): Publication => ({
  ...{ kind: "comment", role: "progress", place: { kind: "conversation", thread: task.thread }, body: voice.say(body) },
});

async function branches(github: GitHub): Promise<string[]> {
  const { stdout } = await execa("git", ["for-each-ref", "--format=%(refname:short)", "refs/heads"], {
    cwd: github.gitDir(REPO),
  });
  return stdout.split("\n");
}

async function openIssue(scene: Scene): Promise<void> {
  const ada = actAs(scene.github, "ada");
  // The builder's thread is number 12.
  for (let i = 0; i < 12; i++) await ada.issues.create({ ...AT, title: `Issue ${i + 1}` });
}

test("a branch and its pull request are made once, and updated when the same task publishes other work", async () => {
  await using scene = await openScene();
  for (const text of ["two\n", "two\n", "three\n"]) {
    await perform(scene.desk, push(await scene.commit({ "a.txt": text })));
    await perform(scene.desk, pull);
  }
  expect(await branches(scene.github)).toEqual(["agent/12-x", "main"]);
  expect(scene.github.pulls(REPO)).toHaveLength(1);
});

test("what a lost worker did without recording it is found on the forge and not done again", async () => {
  await using scene = await openScene();
  await openIssue(scene);
  const commit = await scene.commit({ "a.txt": "two\n" });
  for (let attempt = 0; attempt < 2; attempt++) {
    await perform(scene.desk, push(commit));
    await perform(scene.desk, pull);
    await perform(scene.desk, comment(scene.task, `attempt ${attempt}`));
    for (const role of ["push", "progress"]) scene.log.forget(role);
    if (attempt === 0) await perform(scene.desk, push(commit));
    scene.log.forget("pull");
  }
  expect(scene.github.pulls(REPO)).toHaveLength(1);
  expect(scene.github.comments(REPO).map(({ body }) => body?.split("\n")[0])).toEqual(["attempt 1"]);
});

test("a branch of that name that someone else made is left alone", async () => {
  await using scene = await openScene();
  const theirs = await scene.github.commitFiles(REPO, "agent/12-x", {
    login: "ada",
    message: "mine",
    from: "main",
    files: { b: "b\n" },
  });
  const published = await perform(scene.desk, push(await scene.commit({ "a.txt": "two\n" })));
  expect(published.ref).toBe(`agent/12-x-${scene.task.id.slice(0, 6)}`);
  const { stdout } = await execa("git", ["rev-parse", "agent/12-x"], { cwd: scene.github.gitDir(REPO) });
  expect(stdout).toBe(theirs);
});

test("a push whose answer was lost is found to have arrived", async () => {
  await using scene = await openScene();
  const commit = await scene.commit({ "a.txt": "two\n" });
  scene.github.failNext({ method: "POST", path: /git-receive-pack/, when: "after" });
  const published = await perform(scene.desk, push(commit));
  expect(published.url).toBe(`${scene.github.url}/acme/widget/commit/${commit}`);
  expect(await branches(scene.github)).toContain("agent/12-x");
});

test("an attempt that another one has overtaken writes nothing", async () => {
  await using scene = await openScene();
  const late = { ...scene.desk, assertCurrent: () => Promise.reject(new Error("superseded")) };
  const before = scene.github.requests.length;
  await expect(perform(late, push(await scene.commit({ "a.txt": "two\n" })))).rejects.toThrow("superseded");
  expect(scene.github.requests.slice(before)).toEqual([]);
});
