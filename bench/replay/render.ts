/** One commit's change in the forms models write: an apply_patch envelope, OpenAI's native operations, git's unified diff. */
import { renderChunks, splitLines } from "./chunks.ts";
import type { DiffLine } from "./diff.ts";
import type { Commit, FileChange } from "./history.ts";
import type { Random } from "../../test/patch/random.ts";

export type NativeOperation = {
  readonly type: "create_file" | "update_file" | "delete_file";
  readonly path: string;
  readonly diff: readonly DiffLine[];
};

const ORDER = { delete: 0, rename: 1, modify: 2, add: 3 } as const;

export function renderApplyPatch({ changes }: Commit, random: Random): readonly DiffLine[] {
  return [
    meta("*** Begin Patch"),
    ...inOrder(changes).flatMap((change) => renderSection(change, random)),
    meta("*** End Patch"),
  ];
}

/** Operations cannot move a file: a rename is a creation and a deletion. */
export function renderOperations({ changes }: Commit, random: Random): readonly NativeOperation[] {
  return inOrder(changes).flatMap((change): readonly NativeOperation[] => {
    const remove = { type: "delete_file", path: change.oldPath, diff: [] } as const;
    const create = { type: "create_file", path: change.newPath, diff: renderAdded(change.after ?? "") } as const;
    switch (change.kind) {
      case "add":
        return [create];
      case "delete":
        return [remove];
      case "rename":
        return [remove, create];
      case "modify":
        return [{ type: "update_file", path: change.newPath, diff: renderChunks(change, random) }];
    }
  });
}

export function renderUnified({ changes }: Commit): readonly DiffLine[] {
  return changes.flatMap(({ diff }) => diff);
}

/**
 * Whether V4A can say the change: its lines have no endings, so new lines get those of the file (its commonest), and those of a new
 * file are LF. A carriage return elsewhere is lost as well, and so is the change of an ending alone. Operations make a renamed file anew.
 */
export function isSayable(change: FileChange, form: "apply_patch" | "operations"): boolean {
  if (change.kind === "delete") return true;
  if (change.kind === "rename" && form === "operations" && (change.after ?? "").includes("\r")) return false;
  const text = change.before ?? "";
  const crlf = text.split("\r\n").length - 1;
  const lf = text.split("\n").length - 1 - crlf;
  const isCrlf = crlf > lf || (crlf === lf && /^[^\n]*\r\n/.test(text));
  const added = change.hunks.flatMap(({ lines }) => lines).filter(({ kind }) => kind === "add");
  // An added last line without newline has no ending to be wrong about.
  const isEnding = added.every(({ text, isOpen }) => (isOpen ? !text.endsWith("\r") : text.endsWith("\r") === isCrlf));
  const isLone = [text, change.after ?? ""].some((side) => /\r(?!\n)/.test(side));
  const bare = (lines: typeof added) => new Set(lines.map((line) => line.text.replace(/\r$/, "")));
  const deleted = change.hunks.flatMap(({ lines }) => lines).filter(({ kind }) => kind === "delete");
  const other = deleted.filter(({ text: old, isOpen }) => !isOpen && old.endsWith("\r") !== isCrlf);
  const isOfEndings = [...bare(other)].some((old) => bare(added).has(old));
  return isEnding && !isLone && !isOfEndings;
}

function renderSection(change: FileChange, random: Random): readonly DiffLine[] {
  switch (change.kind) {
    case "add":
      return [meta(`*** Add File: ${change.newPath}`), ...renderAdded(change.after ?? "")];
    case "delete":
      return [meta(`*** Delete File: ${change.oldPath}`)];
    case "rename":
      return [
        meta(`*** Update File: ${change.oldPath}`),
        meta(`*** Move to: ${change.newPath}`),
        ...renderChunks(change, random),
      ];
    case "modify":
      return [meta(`*** Update File: ${change.oldPath}`), ...renderChunks(change, random)];
  }
}

function renderAdded(text: string): readonly DiffLine[] {
  const lines = splitLines(text).map((line): DiffLine => ({ kind: "add", text: line }));
  return text === "" || text.endsWith("\n") ? lines : [...lines, meta("\\ No newline at end of file")];
}

/** What frees a path comes before what takes it. */
function inOrder(changes: readonly FileChange[]): readonly FileChange[] {
  const freed = new Set(changes.filter(({ kind }) => kind === "rename").map(({ oldPath }) => oldPath));
  return changes.toSorted(
    (a, b) => ORDER[a.kind] - ORDER[b.kind] || Number(freed.has(a.newPath)) - Number(freed.has(b.newPath)),
  );
}

function meta(text: string): DiffLine {
  return { kind: "meta", text };
}
