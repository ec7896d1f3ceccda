/** Walks folders whose names may be any bytes: each name is latin1 text, one character a byte, so that none is lost. */
import { chmodSync, type Dirent, lstatSync, type Stats } from "node:fs";
import { readdir } from "node:fs/promises";

export type Entry = { readonly name: string; readonly kind: "folder" | "file" | "link" | "other" };

export type TreePath = string | Buffer;

/** A string where one will do, which takes half the time. */
export function toPath(dir: string, path: string): TreePath {
  const whole = `${dir}/${path}`;
  return ASCII.test(whole) ? whole : Buffer.from(`${toLatin1(dir)}/${path}`, "latin1");
}

/** The bytes of a name that is UTF-8, a character each. */
function toLatin1(text: string): string {
  return ASCII.test(text) ? text : Buffer.from(text).toString("latin1");
}

const ASCII = /^[\x00-\x7f]*$/;

export function joinPath(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}

/** "" for what lies at the top. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

export function kindOf(entry: Pick<Dirent, "isDirectory" | "isFile" | "isSymbolicLink">): Entry["kind"] {
  return entry.isDirectory() ? "folder" : entry.isFile() ? "file" : entry.isSymbolicLink() ? "link" : "other";
}

/** Null for what is no folder. One that a command closed to its owner is opened: to root it is open, and to others it is theirs. */
export function openFolder(path: TreePath): Stats | null {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (!stats?.isDirectory()) return null;
  if (process.getuid?.() === 0 || (stats.mode & 0o700) === 0o700) return stats;
  chmodSync(path, stats.mode | 0o700);
  return openFolder(path);
}

/** What is in `dir`/`folder`; null when that is no folder. */
export async function readFolder(dir: string, folder: string): Promise<readonly Entry[] | null> {
  try {
    if (openFolder(toPath(dir, folder)) === null) return null;
    const entries = await readdir(toPath(dir, folder), { withFileTypes: true, encoding: "buffer" });
    return entries.map((entry) => ({ name: entry.name.toString("latin1"), kind: kindOf(entry) }));
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR")) return null;
    throw error;
  }
}

/** Every path below `dir`/`folder`, a folder before what is in it. Links are not followed. */
export async function listBelow(dir: string, folder = ""): Promise<string[]> {
  const found: string[] = [];
  const open = [folder];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const { name, kind } of (await readFolder(dir, next)) ?? []) {
      const path = joinPath(next, name);
      found.push(path);
      if (kind === "folder") open.push(path);
    }
  }
  return found;
}
