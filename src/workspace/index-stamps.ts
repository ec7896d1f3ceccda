/**
 * Tells the visible git that files are as committed although they hold something else: their sizes and times are written into its index,
 * which is how git takes a file for unchanged. The format is gitformat-index(5)'s.
 */
import { createHash } from "node:crypto";
import { lstat, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { toPath } from "./walk.ts";

const HEAD_BYTES = 12;
const COUNT_AT = 8;
const HASH_BYTES = 20;
/** In an entry: whole seconds, then the rest in nanoseconds. */
const MTIME_AT = 8;
const SIZE_AT = 36;
const FLAGS_AT = 60;
const NAME_AT = 62;
/** A flag of version 3: two more bytes of flags before the name. */
const EXTENDED = 0x4000;

/** Before any sandboxed code has seen the tree. `paths` are latin1 (walk.ts); those that the index does not have are left out. */
export async function stampIndex(treeDir: string, paths: readonly string[]): Promise<void> {
  if (paths.length === 0) return;
  const file = join(treeDir, ".git/index");
  const index = await readFile(file);
  const wanted = new Set(paths);
  for (const { path, at } of listEntries(index)) {
    if (!wanted.has(path)) continue;
    const { mtimeMs, size } = await lstat(toPath(treeDir, path));
    index.writeUInt32BE(Math.floor(mtimeMs / 1000), at + MTIME_AT);
    index.writeUInt32BE(Math.round((mtimeMs % 1000) * 1e6), at + MTIME_AT + 4);
    index.writeUInt32BE(size % 2 ** 32, at + SIZE_AT);
  }
  const end = index.length - HASH_BYTES;
  createHash("sha1").update(index.subarray(0, end)).digest().copy(index, end);
  await writeFile(file, index);
}

function* listEntries(index: Buffer): Generator<{ readonly path: string; readonly at: number }> {
  const version = index.readUInt32BE(4);
  if (version !== 2 && version !== 3) throw new Error(`The visible index has version ${version}.`);
  let at = HEAD_BYTES;
  for (let left = index.readUInt32BE(COUNT_AT); left > 0; left--) {
    const name = at + NAME_AT + (index.readUInt16BE(at + FLAGS_AT) & EXTENDED ? 2 : 0);
    const end = index.indexOf(0, name);
    yield { path: index.toString("latin1", name, end), at };
    // Filled up with one to eight NULs.
    at += Math.ceil((end - at + 1) / 8) * 8;
  }
}
