/** What must not leave a sandbox in a commit: harmless here, a trap for whoever checks the branch out. */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../failure.ts";
import { GitError, type GitPlace } from "./git-command.ts";
import { gitPipe } from "./git-pipe.ts";
import { GONE, readRawDiff } from "./raw-diff.ts";

/** macOS takes 1024 bytes with the folder of the clone; a checkout that is refused half-way leaves a broken work tree. */
const PATH_BYTES_MAX = 900;
/** What every file system in use takes: NAME_MAX on Linux and macOS, 255 characters on Windows. */
const NAME_BYTES_MAX = 255;

/**
 * Names that Windows takes for devices in every folder and with any ending; what is written to them is lost, and a
 * repository with one cannot be checked out there (learn.microsoft.com, "Naming Files, Paths, and Namespaces").
 */
const DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])[ .:]*(\..*)?$/i;

/** Throws UserError that names the first. What the base has already may stay. */
export async function refuseTraps(place: GitPlace, base: string, tree: string, signal: AbortSignal): Promise<void> {
  const changes = await readRawDiff(place, { from: base, to: tree }, signal);
  if (changes.length === 0) return;
  const read: string[] = [];
  for (const { mode, id, ...named } of changes) {
    const path = Buffer.from(named.path, "latin1").toString();
    if (mode === GONE) continue;
    if (READ_BY_GIT.test(path)) read.push(path);
    const trap = trapIn(path);
    if (trap !== null) throw new UserError(`The change adds ${shown(path)}, ${trap}, which is refused.`);
    if (mode === "160000") throw new UserError(`The change adds a submodule at ${shown(path)}, which is refused.`);
    if (mode !== "120000") continue;
    const target = (await gitPipe(place, ["cat-file", "blob", id], { signal })).toString();
    if (isOutward(path, target))
      throw new UserError(`The change adds a link at ${shown(path)} that leads out of the repository.`);
  }
  await refuseBroken(place, { base, tree, read }, signal);
}

/** What git itself reads in a checkout. */
const READ_BY_GIT = /(^|\/)\.git(modules|attributes|ignore)$/i;

type Added = { readonly base: string; readonly tree: string; readonly read: readonly string[] };

/**
 * git's own check of what is new (git-fsck(1), "fsck messages"), as the mirror and the forge make it of what they receive: a `.gitmodules`
 * whose URL is an option, a tree that two names make one. Here it can still be told to people.
 */
async function refuseBroken(place: GitPlace, { base, tree, read }: Added, signal: AbortSignal): Promise<void> {
  const input = `${tree}\n^${base}^{tree}\n`;
  const pack = await gitPipe(place, ["pack-objects", "--revs", "--stdout", "-q", "--window=0"], { input, signal });
  const dir = join(place.gitDir, "check");
  await mkdir(dir, { recursive: true });
  try {
    await writeFile(join(dir, "new.pack"), pack);
    await gitPipe(place, ["index-pack", "--strict", join(dir, "new.pack")], { signal });
  } catch (error) {
    if (!(error instanceof GitError)) throw error;
    const where = read.length === 0 ? "what the change adds" : `the change, which writes ${read.map(shown).join(", ")}`;
    throw new UserError(
      `git's own check refuses ${where}: a checkout of it could be led astray. Most often a \`.gitmodules\` has a submodule's name, path, ` +
        "URL or update command that git does not take. Put it right or take it out of the change, and ask again.",
      { cause: error },
    );
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** What is wrong with a path, as an apposition; null when nothing is. */
export function trapIn(path: string): string | null {
  if (Buffer.byteLength(path) > PATH_BYTES_MAX) return `a path longer than ${PATH_BYTES_MAX} bytes`;
  const parts = path.split("/");
  if (parts.some((part) => Buffer.byteLength(part) > NAME_BYTES_MAX))
    return `a name longer than ${NAME_BYTES_MAX} bytes`;
  return parts.some((part) => DEVICE.test(part)) ? "a name that Windows keeps for a device" : null;
}

/** Whether a link at `path` with text `target` climbs above the repository's root, or is absolute on any system. */
export function isOutward(path: string, target: string): boolean {
  if (/^([/\\]|[A-Za-z]:)/.test(target)) return true;
  let depth = path.split("/").length - 1;
  for (const part of target.split(/[/\\]/)) {
    if (part === "..") depth -= 1;
    else if (part !== "" && part !== ".") depth += 1;
    if (depth < 0) return true;
  }
  return false;
}

/** A path of any length and with any character, in a message. */
function shown(path: string): string {
  return JSON.stringify(path.length > SHOWN_CHARS_MAX ? `${path.slice(0, SHOWN_CHARS_MAX)}…` : path);
}

/** Enough to find it by. */
const SHOWN_CHARS_MAX = 200;
