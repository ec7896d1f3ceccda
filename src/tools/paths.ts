/** What a path typed by a model may be. Links are followed later, inside the sandbox (files.ts); this is what words alone can tell. */

export type CheckedPath =
  { readonly kind: "path"; readonly path: string } | { readonly kind: "refused"; readonly why: string };

/** What models know the workspace as, whatever folder it is. */
const WORKSPACE = "/workspace";

/** Linux takes no more in a name (NAME_MAX), and 4096 in a path (PATH_MAX), of which the workspace's own folder needs some. */
const NAME_BYTES_MAX = 255;
const PATH_BYTES_MAX = 3000;

/** "./a//b/" and "/workspace/a/b" become "a/b", the workspace itself "."; ".." stays for the file system to resolve. */
export function checkPath(typed: string): CheckedPath {
  if (typed.trim() === "") return refused("the path is empty");
  // eslint would mind the control characters; they are the point.
  if (/[\u0000-\u001f\u007f]/.test(typed)) return refused("the path holds a control character");
  if (!typed.isWellFormed()) return refused("the path holds half a character");
  const inside = typed === WORKSPACE || typed.startsWith(`${WORKSPACE}/`) ? `.${typed.slice(WORKSPACE.length)}` : typed;
  const parts = inside.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.some((part) => Buffer.byteLength(part) > NAME_BYTES_MAX))
    return refused(`a name in it is longer than ${NAME_BYTES_MAX} bytes`);
  const path = parts.join("/");
  if (Buffer.byteLength(path) > PATH_BYTES_MAX) return refused(`it is longer than ${PATH_BYTES_MAX} bytes`);
  if (parts.some(isGitFolder)) return refused("it names .git, which file tools do not touch");
  if (inside.startsWith("/")) return { kind: "path", path: `/${path}` };
  return { kind: "path", path: path === "" ? "." : path };
}

/**
 * Names that some file system takes for .git, as git itself refuses them: any case and the characters that HFS+ skips (utf8.c,
 * CVE-2014-9390); trailing dots and spaces, the short name git~1 and streams such as `.git::$INDEX_ALLOCATION` on NTFS (path.c,
 * CVE-2019-1352); a backslash as a separator (CVE-2019-1354). Unicode forms of the same letters (`．ｇｉｔ`, a dotless i) are
 * refused too: one that folds them may come.
 */
export function isGitFolder(name: string): boolean {
  const folded = name
    .normalize("NFKC")
    .replace(/\p{Default_Ignorable_Code_Point}/gu, "")
    .toUpperCase()
    .toLowerCase();
  return folded.split(/[\\/]/).some((part) => /^(?:\.git|git~1)[. ]*(?::|$)/.test(part));
}

/** Why a typed path cannot be a file's; null when it can. */
export function whyNoFile(typed: string): string | null {
  return typed.endsWith("/") ? "it ends in a slash and so names a folder" : null;
}

/** Why no new file should have this name; null when it may. Windows takes a backslash for a separator, and git there refuses it. */
export function whyNoNewFile(path: string): string | null {
  return path.includes("\\")
    ? "there is no such file, and a new name may hold no backslash; put / between folders"
    : null;
}

function refused(why: string): CheckedPath {
  return { kind: "refused", why };
}
