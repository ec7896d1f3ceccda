/** A bare repository with given commits, standing where a mirror would: real git, no network. */
import { execa } from "execa";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export type Files = Readonly<Record<string, string>>;

export type TestRepository = AsyncDisposable & {
  readonly dir: string;
  readonly mirror: { readonly gitDir: string };
  readonly commits: readonly string[];
};

export const GIT_ENV = {
  PATH: process.env["PATH"] ?? "/usr/bin:/bin",
  HOME: "/nonexistent",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_AUTHOR_NAME: "Ada",
  GIT_AUTHOR_EMAIL: "ada@example.com",
  GIT_COMMITTER_NAME: "Ada",
  GIT_COMMITTER_EMAIL: "ada@example.com",
  GIT_AUTHOR_DATE: "2026-01-01T00:00:00Z",
  GIT_COMMITTER_DATE: "2026-01-01T00:00:00Z",
} as const;

/** One commit for each of `trees`, each the whole tree as it should be. */
export async function openRepository(...trees: readonly Files[]): Promise<TestRepository> {
  const dir = await mkdtemp(join(tmpdir(), "pw-repo-"));
  const tree = join(dir, "tree");
  const git = (...args: string[]) => execa("git", args, { cwd: tree, env: GIT_ENV, extendEnv: false });
  await mkdir(tree);
  await git("init", "--quiet", "--initial-branch=main");
  const commits: string[] = [];
  for (const files of trees) {
    await git("rm", "-r", "-q", "--ignore-unmatch", ".");
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(tree, path)), { recursive: true });
      await writeFile(join(tree, path), text);
    }
    await git("add", "--all");
    await git("commit", "--quiet", "--allow-empty", "-m", `commit ${commits.length + 1}`);
    commits.push((await git("rev-parse", "HEAD")).stdout);
  }
  const gitDir = join(dir, "mirror.git");
  await execa("git", ["clone", "--quiet", "--mirror", "--template=", tree, gitDir], { env: GIT_ENV, extendEnv: false });
  return {
    dir,
    mirror: { gitDir },
    commits,
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}
