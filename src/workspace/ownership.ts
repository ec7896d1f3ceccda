/** Whose the files of a tree are: as root, what the host writes into it must become the sandbox user's. */
import { lchown, lstat } from "node:fs/promises";
import { toPath, type TreePath } from "./walk.ts";

type Owner = { readonly uid: number; readonly gid: number };

/** The owner of the tree's top folder. */
export async function ownerOf(treeDir: string): Promise<Owner> {
  const { uid, gid } = await lstat(treeDir);
  return { uid, gid };
}

/** Gives `paths` of the tree, and the folders they lie in, to `owner`. What is not there is left out; links are not followed. */
export async function giveTo(treeDir: string, owner: Owner, paths: readonly string[]): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const all = new Set<string>();
  for (const path of paths) {
    const parts = path.split("/");
    parts.forEach((_, i) => all.add(parts.slice(0, i + 1).join("/")));
  }
  for (const path of all) await give(toPath(treeDir, path), owner);
}

async function give(path: TreePath, { uid, gid }: Owner): Promise<void> {
  try {
    const before = await lstat(path);
    // Only when it must be: in an overlay even a change to the same owner copies the file.
    if (before.uid !== uid || before.gid !== gid) await lchown(path, uid, gid);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR")))
      throw error;
  }
}
