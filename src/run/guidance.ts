/** AGENTS.md in force: read from the base commit only, so that a pull request cannot write its own instructions. */
import { git } from "../workspace/git.ts";
import type { GitPlace } from "../workspace/git-command.ts";

/** All guidance together; a model that must read more than this before it starts reads none of it well. */
const GUIDANCE_BYTES_MAX = 32 * 1024;

export type Guidance = {
  /** Root first, nearest last. `isCut` says that the limit ended the text early. */
  readonly files: readonly { readonly path: string; readonly text: string; readonly isCut: boolean }[];
  /** Files in force somewhere that were not read: other folders, or past the limit. */
  readonly unread: readonly string[];
};

/** `touched` are the paths a change is known to concern; an issue's are not known yet, so only the root's file is read. */
export async function readGuidance(place: GitPlace, base: string, touched: readonly string[]): Promise<Guidance> {
  const listed = (await git(place, ["ls-tree", "-r", "-z", "--name-only", base])).split("\0");
  const { inForce, elsewhere } = selectGuidance(listed, touched);
  const files: Guidance["files"][number][] = [];
  const unread = [...elsewhere];
  let left = GUIDANCE_BYTES_MAX;
  for (const path of inForce) {
    if (left <= 0) {
      unread.push(path);
      continue;
    }
    const whole = await git(place, ["cat-file", "blob", `${base}:${path}`]);
    const text = Buffer.from(whole).subarray(0, left).toString("utf8");
    files.push({ path, text, isCut: text.length < whole.length });
    left -= Buffer.byteLength(text);
  }
  return { files, unread };
}

/** Pure: which guidance files hold for these paths, one per folder, the override before the plain one. */
export function selectGuidance(
  listed: readonly string[],
  touched: readonly string[],
): { readonly inForce: readonly string[]; readonly elsewhere: readonly string[] } {
  const byFolder = new Map<string, string>();
  for (const path of listed) {
    const match = /^(.*\/)?AGENTS(\.override)?\.md$/.exec(path);
    if (match && (match[2] || !byFolder.has(match[1] ?? ""))) byFolder.set(match[1] ?? "", path);
  }
  const folders = [...byFolder.keys()].toSorted(
    (a, b) => a.split("/").length - b.split("/").length || (a < b ? -1 : 1),
  );
  const holds = (folder: string) => folder === "" || touched.some((path) => path.startsWith(folder));
  const paths = (wanted: boolean) =>
    folders.filter((folder) => holds(folder) === wanted).flatMap((folder) => byFolder.get(folder) ?? []);
  return { inForce: paths(true), elsewhere: paths(false) };
}
