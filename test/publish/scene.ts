/** A forge with one repository, its mirror, and a desk to publish from; commits are made by a real workspace. */
import { execa } from "execa";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { App, Octokit } from "octokit";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { GitHub } from "../../sim/github/github.ts";
import type { GitAccess } from "../../src/forge/forge.ts";
import { openForge } from "../../src/forge/github.ts";
import type { Desk, PublicationLog } from "../../src/publish/perform.ts";
import type { Ledgered } from "../../src/store/publications.ts";
import type { Task } from "../../src/task.ts";
import { fillCommits } from "../../src/workspace/blobless.ts";
import { commitTree, snapshot } from "../../src/workspace/snapshot.ts";
import { keepCommit, Mirrors, resolveCommit, type Mirror } from "../../src/workspace/mirror.ts";
import { Workspace } from "../../src/workspace/workspace.ts";
import { AT, openGitHub, REPO } from "../github.ts";
import { task as buildTask } from "./builders.ts";

const signal = new AbortController().signal;

/** What store/publications keeps, in memory: these tests are about the forge. */
export function memoryLog(): PublicationLog & { forget: (role: string) => void } {
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

export type Scene = AsyncDisposable & {
  readonly github: GitHub;
  /** Goes with the scene. */
  readonly dir: string;
  readonly access: GitAccess;
  readonly task: Task;
  readonly mirror: Mirror;
  readonly log: ReturnType<typeof memoryLog>;
  readonly desk: Desk;
  /** The forge's branches as they are now. */
  readonly fetch: () => Promise<void>;
  readonly commit: (files: Readonly<Record<string, string>>, from?: string) => Promise<string>;
};

export async function openScene({
  isBlobless = false,
  content = { "a.txt": "one\n" },
}: { readonly isBlobless?: boolean; readonly content?: Readonly<Record<string, string>> } = {}): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "pw-perform-"));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  const github = stack.use(await openGitHub(content));
  const { reader, writer } = openForge(github);
  const task = buildTask({
    repo: { ...(await repoRef(github)), owner: "acme", name: "widget", defaultBranch: "main" },
  });
  const mirrors = new Mirrors(dir, isBlobless ? { bloblessKilobytesMin: 0 } : {});
  const access = await reader.readAccess(task.repo);
  const mirror = await mirrors.fetch(task.repo, [], access, signal);
  await fillCommits(mirror, [await resolveCommit(mirror, "refs/heads/main")], access, signal);
  const log = memoryLog();
  const kept = stack.move();
  return {
    ...{ github, dir, access, task, mirror, log },
    desk: { writer, task, log, mirror, assertCurrent: async () => {} },
    fetch: async () => {
      using _again = await mirrors.fetch(task.repo, [], await reader.readAccess(task.repo), signal);
    },
    commit: async (files, from = "refs/heads/main") => {
      const sha = await resolveCommit(mirror, from);
      await using workspace = await Workspace.open({ mirror, sha, runsDir: join(dir, "runs") }, signal);
      for (const [path, text] of Object.entries(files)) {
        await mkdir(dirname(join(workspace.treeDir, path)), { recursive: true });
        await writeFile(join(workspace.treeDir, path), text);
      }
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

export async function branches(github: GitHub): Promise<string[]> {
  const { stdout } = await execa("git", ["for-each-ref", "--format=%(refname:short)", "refs/heads"], {
    cwd: github.gitDir(REPO),
  });
  return stdout.split("\n");
}

/** What git says about the forge's own repository. */
export async function askForge(github: GitHub, args: readonly string[]): Promise<string> {
  return (await execa("git", args, { cwd: github.gitDir(REPO) })).stdout;
}
