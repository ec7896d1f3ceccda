/** Names of branches: the ones we make and the ones we let near git. */

/** Long enough to tell branches apart, short enough for a list of them. */
const BRANCH_CHARS_MAX = 60;
/** GitHub refuses ref names above 255 bytes, "refs/heads/" included. */
const REF_CHARS_MAX = 244;

/** `agent/12-fix-the-login`: ASCII, at most 60 characters, `agent/12` when the title has no letter that survives. */
export function branchName(number: number, title: string): string {
  const base = `agent/${number}`;
  const slug = title
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
  const room = BRANCH_CHARS_MAX - base.length - 1;
  const cut =
    slug.length <= room
      ? slug
      : slug
          .slice(0, room + 1)
          .replace(/-[^-]*$/, "")
          .slice(0, room);
  return cut === "" ? base : `${base}-${cut}`;
}

/**
 * Whether a branch name may be handed to git. An allow-list stricter than git's own rules: names come from strangers, and one with
 * a leading dash, a Unicode space or `..` has been used to run commands (Codex cloud, 2025-12; GHSA-6q4m-7476-932w).
 */
export function isSafeRef(name: string): boolean {
  if (name.length > REF_CHARS_MAX || name === "HEAD") return false;
  if (!/^[A-Za-z0-9_][A-Za-z0-9._/@#+=,-]*$/.test(name)) return false;
  if (name.includes("..") || name.includes("@{")) return false;
  return name.split("/").every((part) => part !== "" && !/^[.-]|\.$|\.lock$/i.test(part));
}
