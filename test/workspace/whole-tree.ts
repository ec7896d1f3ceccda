/** All that a work tree holds, to be compared as one value: kind, executable bit and bytes of each name, the top .git left out. */
import { lstat, readFile, readlink } from "node:fs/promises";
import { listBelow, toPath } from "../../src/workspace/walk.ts";

export async function readWholeTree(dir: string): Promise<Record<string, string>> {
  const whole: Record<string, string> = {};
  for (const path of (await listBelow(dir)).sort()) {
    if (path === ".git" || path.startsWith(".git/")) continue;
    const at = toPath(dir, path);
    const stats = await lstat(at);
    if (stats.isSymbolicLink()) whole[path] = `link ${(await readlink(at, { encoding: "buffer" })).toString("latin1")}`;
    else if (stats.isFile()) {
      whole[path] = `${stats.mode & 0o100 ? "executable" : "file"} ${(await readFile(at)).toString("latin1")}`;
    }
  }
  return whole;
}

/** The roads by which a tree comes to be; an overlay needs root. */
export const ROADS = [
  ...(process.getuid?.() === 0 ? [{ road: "overlay", overlayFilesMin: 0 }] : []),
  { road: "checkout", overlayFilesMin: Infinity },
] as const;
