/** Unpacked copies that wait for the next run: thousands of files are then in its tree by some renames. */
import { lstat, rename } from "node:fs/promises";
import { joinPath, readFolder, toPath } from "./walk.ts";

/** Moves what is in `spareDir` to where nothing is in the tree. Folders of both are entered, links are not. Throws across disks. */
export async function moveInto(treeDir: string, spareDir: string, folder = ""): Promise<void> {
  for (const { name, kind } of (await readFolder(spareDir, folder)) ?? []) {
    const path = joinPath(folder, name);
    const there = await lstat(toPath(treeDir, path)).catch(() => null);
    if (there === null) await rename(toPath(spareDir, path), toPath(treeDir, path));
    else if (there.isDirectory() && kind === "folder") await moveInto(treeDir, spareDir, path);
    // Anything else is tracked by now, and stays as the commit has it.
  }
}
