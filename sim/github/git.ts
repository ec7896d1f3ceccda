/** Real git on the bare repositories, in an environment that nothing of this machine's configuration can reach. */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const ZERO_SHA = "0".repeat(40);

export class GitFailure extends Error {
  readonly exitCode: number;

  constructor(args: readonly string[], exitCode: number, stderr: string) {
    super(`git ${args.join(" ")} ended with ${exitCode}: ${stderr.trim()}`);
    this.name = "GitFailure";
    this.exitCode = exitCode;
  }
}

/** No system or user configuration, no prompts, no hooks of this machine; C messages. */
export function gitEnvironment(config: Readonly<Record<string, string>> = {}): Record<string, string> {
  const entries = Object.entries({ "safe.directory": "*", "core.hooksPath": "/dev/null", "gc.auto": "0", ...config });
  const env: Record<string, string> = {
    PATH: process.env["PATH"] ?? "/usr/bin:/bin",
    HOME: "/nonexistent",
    LC_ALL: "C.UTF-8",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_TERMINAL_PROMPT: "0",
    GIT_CONFIG_COUNT: String(entries.length),
  };
  entries.forEach(([key, value], index) => {
    env[`GIT_CONFIG_KEY_${index}`] = key;
    env[`GIT_CONFIG_VALUE_${index}`] = value;
  });
  return env;
}

export type GitOptions = {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
};

/** Standard output as text; throws GitFailure. */
export async function git(gitDir: string, args: readonly string[], options: GitOptions = {}): Promise<string> {
  return (await gitBytes(gitDir, args, options)).toString("utf8");
}

/** Standard output, or null when git says no: for questions such as "does this commit exist". */
export async function askGit(gitDir: string, args: readonly string[]): Promise<string | null> {
  try {
    return (await git(gitDir, args)).trim();
  } catch (error) {
    if (error instanceof GitFailure) return null;
    throw error;
  }
}

export async function gitBytes(gitDir: string, args: readonly string[], options: GitOptions = {}): Promise<Buffer> {
  const child = spawn("git", args, {
    env: { ...gitEnvironment(), GIT_DIR: gitDir, ...options.env },
    cwd: options.cwd,
    stdio: ["pipe", "pipe", "pipe"],
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
  child.stdin.on("error", () => {}); // git may end before it has read its input; the exit code tells.
  child.stdin.end(options.input ?? "");
  const exitCode = await new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? -1));
  });
  if (exitCode !== 0) throw new GitFailure(args, exitCode, Buffer.concat(err).toString("utf8"));
  return Buffer.concat(out);
}

export async function initBare(gitDir: string, defaultBranch: string): Promise<void> {
  await git(gitDir, ["init", "--quiet", "--bare", `--initial-branch=${defaultBranch}`, gitDir]);
}

/** The commit a branch, a ref or a (full or short) SHA names, or null. */
export async function resolveCommit(gitDir: string, name: string): Promise<string | null> {
  for (const candidate of [`refs/heads/${name}`, `refs/tags/${name}`, name]) {
    const sha = await askGit(gitDir, ["rev-parse", "--verify", "--quiet", "--end-of-options", `${candidate}^{commit}`]);
    if (sha) return sha;
  }
  return null;
}

export function branchTip(gitDir: string, branch: string): Promise<string | null> {
  return askGit(gitDir, ["rev-parse", "--verify", "--quiet", "--end-of-options", `refs/heads/${branch}^{commit}`]);
}

/** Branches and tags with what they point at. */
export async function readRefs(gitDir: string): Promise<ReadonlyMap<string, string>> {
  const text = await git(gitDir, ["for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags"]);
  return new Map(
    text
      .split("\n")
      .filter(Boolean)
      .map((line) => {
        const space = line.lastIndexOf(" ");
        return [line.slice(0, space), line.slice(space + 1)];
      }),
  );
}

/** Text or bytes to write, or null to delete. */
export type FileChanges = Readonly<Record<string, string | Uint8Array | null>>;

export type CommitRequest = {
  readonly parent: string | null;
  /** A folder laid in before `files`. */
  readonly folder?: string;
  readonly files: FileChanges;
  readonly message: string;
  readonly name: string;
  readonly email: string;
};

/** Writes one commit without a work tree and returns its SHA; no ref moves. */
export async function writeCommit(gitDir: string, request: CommitRequest): Promise<string> {
  const scratch = await mkdtemp(join(tmpdir(), "sim-github-index-"));
  const env = { GIT_INDEX_FILE: join(scratch, "index") };
  try {
    if (request.parent) await git(gitDir, ["read-tree", request.parent], { env });
    if (request.folder) {
      await git(gitDir, ["add", "--all", "--force", "."], {
        env: { ...env, GIT_WORK_TREE: request.folder },
        cwd: request.folder,
      });
    }
    for (const [path, content] of Object.entries(request.files)) await stage(gitDir, env, path, content);
    const tree = (await git(gitDir, ["write-tree"], { env })).trim();
    return await commitTree(gitDir, { ...request, tree, parents: request.parent ? [request.parent] : [] });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

export type TreeCommit = {
  readonly tree: string;
  readonly parents: readonly string[];
  readonly message: string;
  readonly name: string;
  readonly email: string;
};

export async function commitTree(gitDir: string, commit: TreeCommit): Promise<string> {
  const parents = commit.parents.flatMap((parent) => ["-p", parent]);
  const env = {
    GIT_AUTHOR_NAME: commit.name,
    GIT_AUTHOR_EMAIL: commit.email,
    GIT_COMMITTER_NAME: commit.name,
    GIT_COMMITTER_EMAIL: commit.email,
  };
  return (await git(gitDir, ["commit-tree", commit.tree, ...parents], { env, input: `${commit.message}\n` })).trim();
}

async function stage(
  gitDir: string,
  env: Readonly<Record<string, string>>,
  path: string,
  content: string | Uint8Array | null,
): Promise<void> {
  if (content === null) {
    // Not --force-remove: that one wants a work tree.
    await git(gitDir, ["update-index", "--index-info"], { env, input: `0 ${ZERO_SHA}\t${path}\n` });
    return;
  }
  const blob = (await git(gitDir, ["hash-object", "-w", "--stdin"], { input: content })).trim();
  await git(gitDir, ["update-index", "--add", "--cacheinfo", `100644,${blob},${path}`], { env });
}
