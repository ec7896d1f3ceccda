/**
 * `patch`: applies the patch on standard input to a folder of the host, all or nothing; `--strict` as the original would, which keeps
 * a partial result. A person's own tool, so without a sandbox; it never leaves the folder and never touches .git.
 */
import { chmod, lstat, mkdir, readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";
import { UserError } from "../failure.ts";
import { pathsOf, planPatch, type FileEdit } from "../patch/apply.ts";
import { parsePatch } from "../patch/parse.ts";
import { PatchError } from "../patch/patch.ts";
import { parseStrict } from "../patch/strict-parse.ts";
import { runStrict, strictPathsOf } from "../patch/strict.ts";
import { FILE_BYTES_MAX } from "../tools/files.ts";
import { checkPath, isGitFolder } from "../tools/paths.ts";

export async function patch(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: { root: { type: "string" }, strict: { type: "boolean", default: false } },
  });
  if (values.root === undefined) throw new UserError("usage: pullwright patch [--strict] --root DIR < PATCH");
  const root = await openRoot(values.root);
  const given = await text(process.stdin);
  try {
    const { message, isDone } = values.strict ? await applyStrict(root, given) : await applyWhole(root, given);
    (isDone ? console.log : console.error)(message);
    return isDone ? 0 : 1;
  } catch (error) {
    if (!(error instanceof PatchError) && !isSystemError(error)) throw error;
    console.error(error.message);
    return 1;
  }
}

type Ended = { readonly message: string; readonly isDone: boolean };

async function applyWhole(root: string, given: string): Promise<Ended> {
  const wanted = parsePatch(given);
  const found = await readFiles(root, pathsOf(wanted));
  const plan = planPatch(wanted, textsOf(found));
  await writeEdits(plan.edits, found);
  return { message: ["Done.", ...plan.notes].join("\n"), isDone: true };
}

async function applyStrict(root: string, given: string): Promise<Ended> {
  const hunks = parseStrict(given);
  const found = await readFiles(root, strictPathsOf(hunks));
  const run = runStrict(hunks, textsOf(found));
  await writeEdits(run.edits, found);
  return run;
}

async function openRoot(dir: string): Promise<string> {
  const root = await orNull(realpath(dir));
  if (root === null) throw new UserError(`there is no folder "${dir}"`);
  return root;
}

/** One path of the patch: where it really is, and what is there (null when nothing is). */
type Found = {
  readonly real: string;
  readonly bytes: Buffer | null;
  readonly text: string | null;
  readonly mode: number;
};

async function readFiles(root: string, paths: readonly string[]): Promise<ReadonlyMap<string, Found>> {
  const found = new Map<string, Found>();
  const owners = new Map<string, string>();
  for (const path of paths) {
    const real = await locate(root, path);
    const other = owners.get(real);
    if (other !== undefined) throw refused(path, `it is the same file as "${other}"`);
    owners.set(real, path);
    found.set(path, await readOne(path, real));
  }
  return found;
}

function textsOf(found: ReadonlyMap<string, Found>): ReadonlyMap<string, string | null> {
  return new Map([...found].map(([path, file]) => [path, file.text]));
}

/** Where a path leads when all links are followed; what is not there yet lies below the deepest folder that is. */
async function locate(root: string, path: string): Promise<string> {
  const checked = checkPath(path);
  if (checked.kind === "refused") throw refused(path, checked.why);
  const missing: string[] = [];
  let at = resolve(root, checked.path);
  let real = await orNull(realpath(at));
  while (real === null) {
    if ((await orNull(lstat(at))) !== null) throw refused(path, "a link on the way leads nowhere");
    missing.unshift(basename(at));
    at = dirname(at);
    real = await orNull(realpath(at));
  }
  const whole = join(real, ...missing);
  const inside = relative(root, whole);
  if (inside === "" || inside === ".." || inside.startsWith(`..${sep}`))
    throw refused(path, "it is outside the folder");
  if (inside.split(sep).some(isGitFolder)) throw refused(path, "it leads into .git");
  return whole;
}

async function readOne(path: string, real: string): Promise<Found> {
  const stats = await orNull(stat(real));
  if (stats === null) return { real, bytes: null, text: null, mode: 0o644 };
  if (!stats.isFile()) throw refused(path, "it is not a regular file");
  if (stats.size > FILE_BYTES_MAX) throw refused(path, `it has ${stats.size} bytes, at most ${FILE_BYTES_MAX}`);
  const bytes = await readFile(real);
  return { real, bytes, text: readText(path, bytes), mode: stats.mode & 0o777 };
}

function readText(path: string, bytes: Buffer): string {
  if (bytes.includes(0)) throw refused(path, "it is a binary file");
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) throw refused(path, "it is not UTF-8");
    throw error;
  }
}

type Write = { readonly to: Found; readonly temporary: string | null };

/** All new texts are on the disk, beside their places, before the first one is moved to its place. */
async function writeEdits(edits: readonly FileEdit[], found: ReadonlyMap<string, Found>): Promise<void> {
  const writes: Write[] = [];
  const made: string[] = [];
  const done: Found[] = [];
  try {
    for (const [i, edit] of edits.entries()) {
      const to = foundAt(found, edit.path);
      if (edit.kind === "delete") {
        writes.push({ to, temporary: null });
        continue;
      }
      const top = await mkdir(dirname(to.real), { recursive: true });
      if (top !== undefined) made.push(top);
      const temporary = join(dirname(to.real), `.pullwright-${process.pid}-${i}`);
      writes.push({ to, temporary });
      await writeFile(temporary, edit.text, { flag: "wx" });
      await chmod(temporary, edit.mode === null ? foundAt(found, edit.modeFrom).mode : Number.parseInt(edit.mode, 8));
    }
    for (const { to, temporary } of writes) {
      done.push(to);
      if (temporary === null) await rm(to.real);
      else await rename(temporary, to.real);
    }
  } catch (error) {
    if (!isSystemError(error)) throw error;
    await undo(done);
    for (const { temporary } of writes) if (temporary !== null) await rm(temporary, { force: true });
    for (const dir of made) await rm(dir, { recursive: true, force: true });
    throw new PatchError(`The patch was not applied, nothing was changed: ${error.message}`);
  }
}

async function undo(done: readonly Found[]): Promise<void> {
  for (const { real, bytes, mode } of done) {
    if (bytes === null) await rm(real, { force: true });
    else await writeFile(real, bytes, { mode });
  }
}

function foundAt(found: ReadonlyMap<string, Found>, path: string): Found {
  const file = found.get(path);
  if (!file) throw new Error(`${path} was not read`);
  return file;
}

function refused(path: string, why: string): PatchError {
  return new PatchError(`Cannot use "${path}": ${why}. Nothing was changed.`);
}

function isSystemError(error: unknown): error is Error {
  return error instanceof Error && "syscall" in error;
}

/** Null where nothing is. */
async function orNull<T>(found: Promise<T>): Promise<T | null> {
  try {
    return await found;
  } catch (error) {
    if (error instanceof Error && "code" in error && ["ENOENT", "ENOTDIR", "ELOOP"].includes(String(error.code)))
      return null;
    throw error;
  }
}
