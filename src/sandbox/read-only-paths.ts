/** Paths of a workspace that commands must not change, such as a person's own .git. */
import { lstat, realpath } from "node:fs/promises";
import { isAbsolute, join, normalize } from "node:path";
import { UserError } from "../failure.ts";

export type ReadOnlyPath = {
  readonly source: string;
  readonly target: string;
  readonly device: number;
  readonly inode: number;
};

/** Those that exist. A link cannot be protected: a command would replace the link itself. */
export async function findReadOnlyPaths(
  workspaceDir: string,
  paths: readonly string[],
): Promise<readonly ReadOnlyPath[]> {
  const found = await Promise.all(paths.map((path) => findReadOnlyPath(workspaceDir, normalize(path))));
  return found.filter((path) => path !== null);
}

async function findReadOnlyPath(workspaceDir: string, path: string): Promise<ReadOnlyPath | null> {
  if (isAbsolute(path) || path.split("/").includes("..")) throw new Error(`not inside the workspace: ${path}`);
  const source = join(workspaceDir, path);
  const stats = await lstat(source).catch(() => null);
  if (stats === null) return null;
  if ((await realpath(source)) !== source) {
    throw new UserError(`\`${path}\` is reached through a symbolic link, so the sandbox cannot protect it.`);
  }
  return { source, target: join("/workspace", path), device: stats.dev, inode: stats.ino };
}

/**
 * Before each command: an earlier one may have renamed a parent folder and left a link to the host's files there, which
 * bubblewrap would follow.
 */
export async function checkReadOnlyPaths(paths: readonly ReadOnlyPath[]): Promise<void> {
  for (const { source, target, device, inode } of paths) {
    const [stats, real] = await Promise.all([lstat(source).catch(() => null), realpath(source).catch(() => null)]);
    if (real === source && stats?.dev === device && stats.ino === inode) continue;
    throw new UserError(`A command moved ${target}, which it may not change. The run cannot go on in this workspace.`);
  }
}
