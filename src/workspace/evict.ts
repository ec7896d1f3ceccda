/** Bounds what mirrors and warm checkouts take on a disk: the repositories that were not used for longest go first. */
import { execFile } from "node:child_process";
import { access, readdir, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { tryExclusive } from "../file-lock.ts";

type Kept = { readonly name: string; readonly bytes: number; readonly usedAtMs: number };

/** Never one that a run uses or that is being fetched, in any process. `bytesMax` null stands for half of the disk. */
export async function evictMirrors(dir: string, bytesMax: number | null): Promise<void> {
  const limit = bytesMax ?? (await halfOfDisk(dir));
  const names = (await readdir(dir)).flatMap((name) => /^(\d+)\.git$/.exec(name)?.[1] ?? []);
  const kept = await Promise.all(names.map((name) => measure(dir, name)));
  let total = kept.reduce((sum, { bytes }) => sum + bytes, 0);
  for (const { name, bytes } of kept.toSorted((a, b) => a.usedAtMs - b.usedAtMs)) {
    if (total <= limit) return;
    if (await remove(dir, name)) total -= bytes;
  }
}

export async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function halfOfDisk(dir: string): Promise<number> {
  const { blocks, bsize } = await statfs(dir);
  return (blocks * bsize) / 2;
}

async function measure(dir: string, name: string): Promise<Kept> {
  const used = await stat(join(dir, `${name}.use`)).catch(() => null); // A mirror of before there were such files.
  const paths = [`${name}.git`, `${name}.warm`].map((file) => join(dir, file));
  const there = (await Promise.all(paths.map(isThere))).flatMap((is, i) => (is ? (paths[i] ?? []) : []));
  // du fails when a file goes away while it counts, and says what it has counted all the same.
  const counted = await promisify(execFile)("du", ["-sk", "--", ...there]).catch((error: unknown) =>
    error instanceof Error && "stdout" in error ? { stdout: String(error.stdout) } : { stdout: "" },
  );
  const kilobytes = counted.stdout.split("\n").reduce((sum, line) => sum + (Number.parseInt(line, 10) || 0), 0);
  return { name, bytes: kilobytes * 1024, usedAtMs: used?.mtimeMs ?? 0 };
}

async function remove(dir: string, name: string): Promise<boolean> {
  const turn = tryExclusive(join(dir, `${name}.turn`));
  const use = turn && tryExclusive(join(dir, `${name}.use`));
  try {
    if (!use) return false;
    for (const ending of ["git", "warm"]) await rm(join(dir, `${name}.${ending}`), { recursive: true, force: true });
    return true;
  } finally {
    use?.release();
    turn?.release();
  }
}
