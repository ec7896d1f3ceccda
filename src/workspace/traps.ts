/** What must not leave a sandbox in a commit: harmless here, a trap for whoever checks the branch out. */
import { UserError } from "../failure.ts";
import { type GitPlace } from "./git.ts";
import { gitPipe, splitNames } from "./git-pipe.ts";

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
  const raw = splitNames(await gitPipe(place, ["diff-tree", "-r", "-z", "--no-renames", base, tree], { signal }));
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const [, mode = "", , id = ""] = (raw[i] ?? "").split(" ");
    const bytes = Buffer.from(raw[i + 1] ?? "", "latin1");
    const path = bytes.toString();
    if (mode === "000000") continue; // Deleted.
    const trap = trapIn(path);
    if (trap !== null) throw new UserError(`The change adds ${shown(path)}, ${trap}, which is refused.`);
    if (mode === "160000") throw new UserError(`The change adds a submodule at ${shown(path)}, which is refused.`);
    if (mode !== "120000") continue;
    const target = (await gitPipe(place, ["cat-file", "blob", id], { signal })).toString();
    if (isOutward(path, target))
      throw new UserError(`The change adds a link at ${shown(path)} that leads out of the repository.`);
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
