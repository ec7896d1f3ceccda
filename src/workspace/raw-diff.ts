/** What differs between two trees, entry by entry: git-diff-tree(1), "Raw output format". */
import type { GitPlace } from "./git-command.ts";
import { gitPipe, splitNames } from "./git-pipe.ts";

export type RawChange = {
  /** latin1 (walk.ts). */
  readonly path: string;
  /** `GONE` for what `to` does not have. */
  readonly mode: string;
  /** Of the blob or commit in `to`; zeros for what it does not have. */
  readonly id: string;
};

export const GONE = "000000";

/** Without looking for renames. */
export async function readRawDiff(
  place: GitPlace,
  { from, to }: { readonly from: string; readonly to: string },
  signal?: AbortSignal,
): Promise<readonly RawChange[]> {
  const args = ["diff-tree", "-r", "-z", "--no-renames", "--raw", "--end-of-options", from, to];
  const fields = splitNames(await gitPipe(place, args, signal ? { signal } : {}));
  const changes: RawChange[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const [, mode = "", , id = ""] = (fields[i] ?? "").split(" ");
    changes.push({ path: fields[i + 1] ?? "", mode, id });
  }
  return changes;
}

/** The size of each in bytes; 0 for what is not there. */
export async function weighBlobs(place: GitPlace, ids: readonly string[], signal?: AbortSignal) {
  const input = ids.map((id) => `${id}\n`).join("");
  const args = ["cat-file", "--batch-check=%(objectsize)"];
  const sizes = (await gitPipe(place, args, { input, ...(signal ? { signal } : {}) })).toString().split("\n");
  return ids.map((_, i) => Number(sizes[i]) || 0); // "missing" is no number.
}
