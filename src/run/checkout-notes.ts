/** What of the repository a run does not see, told to the agent: folders left out, submodules, files that Git LFS keeps elsewhere. */
import { git } from "../workspace/git.ts";
import type { GitPlace } from "../workspace/git-command.ts";
import type { RepoSettings } from "./repo-settings.ts";

/** Names in a brief; the files that name them are in the tree. */
const NAMES_MAX = 20;
const NAME_CHARS_MAX = 100;

type Seen = {
  readonly place: GitPlace;
  readonly sha: string;
  /** Files that are pointers although the settings ask for their objects; null when they do not. */
  readonly missing: readonly string[] | null;
};

/** A section of the brief, "" when all is there. Submodules and LFS are read from the commit that is worked on, and only named. */
export async function describeCheckout(
  { place, sha, missing }: Seen,
  { checkout }: Pick<RepoSettings, "checkout">,
): Promise<string> {
  const listed = await git(place, ["ls-tree", sha, "--", ".gitmodules", ".gitattributes"]);
  const read = async (path: string) => (isFile(listed, path) ? git(place, ["cat-file", "blob", `${sha}:${path}`]) : "");
  const modules = readSubmodules(await read(".gitmodules"));
  const patterns = readLfsPatterns(await read(".gitattributes"));
  const notes = [
    ...(checkout.sparse.length === 0
      ? []
      : [
          `Of the folders only these are checked out: ${list(checkout.sparse)}. The rest is in git and stays as it is.`,
        ]),
    ...(modules.length === 0 ? [] : [checkout.submodules ? filled(modules) : empty(modules)]),
    ...(patterns.length === 0 || missing !== null
      ? []
      : [`Git LFS keeps ${list(patterns)}: what is here are pointers of three lines. Leave them as they are.`]),
    ...(missing === null || missing.length === 0
      ? []
      : [`Git LFS did not give ${list(missing)}: these are pointers of three lines. Leave them as they are.`]),
  ];
  if (notes.length === 0) return "";
  const lines = notes.map((note) => `- ${note}`).join("\n");
  return `# Checkout\n\nNot all of the repository is here. Say in your report what you could not do for that.\n\n${lines}`;
}

function empty(modules: readonly string[]): string {
  return `Submodules are not checked out, their folders are empty: ${list(modules)}. What you put there is not part of the change.`;
}

function filled(modules: readonly string[]): string {
  return `Submodules, as the set-up could get them: ${list(modules)}. What you change there is not part of the change.`;
}

/** The paths in a .gitmodules: gitmodules(5). */
export function readSubmodules(text: string): string[] {
  return [...text.matchAll(/^[ \t]*path[ \t]*=[ \t]*(.+?)[ \t]*$/gm)].map((match) => match[1] ?? "");
}

/** The patterns in a .gitattributes that have the filter of Git LFS: gitattributes(5). */
export function readLfsPatterns(text: string): string[] {
  const lines = text.split("\n").filter((line) => /^\s*[^#\s].*\sfilter=lfs(\s|$)/.test(line));
  return lines.map((line) => line.trim().split(/\s+/)[0] ?? "");
}

/** Names from the repository are data: nothing of Markdown, no line of their own. */
function list(names: readonly string[]): string {
  const shown = names
    .slice(0, NAMES_MAX)
    .map((name) => `\`${name.replaceAll(/[`\p{C}]/gu, "?").slice(0, NAME_CHARS_MAX)}\``);
  const more = names.length > NAMES_MAX ? ` and ${names.length - NAMES_MAX} more` : "";
  return `${shown.join(", ")}${more}`;
}

/** Not a link, whose text would be read for it. */
function isFile(listed: string, path: string): boolean {
  return listed.split("\n").some((line) => line.startsWith("100") && line.endsWith(`\t${path}`));
}
