/** One file's change as str_replace calls, from top to bottom, each old text with as many whole lines around it as make it the only one. */
import type { FileChange } from "./history.ts";

/** Lines keep their endings. Context is written the same in old and new text. */
export type Replacement = {
  readonly head: readonly string[];
  readonly deleted: readonly string[];
  readonly added: readonly string[];
  readonly tail: readonly string[];
};

type Edit = { readonly at: number; readonly deleted: readonly string[]; readonly added: readonly string[] };

export function renderReplacements(change: FileChange): readonly Replacement[] {
  const lines = cutLines(change.before ?? "");
  return findEdits(change).map(({ at, deleted, added }) => {
    const replacement = grow(lines, { at, deleted, added });
    lines.splice(at, deleted.length, ...added);
    return replacement;
  });
}

/** Places are those of the text as the edits before have left it. */
function findEdits({ hunks }: FileChange): readonly Edit[] {
  const edits: { readonly at: number; readonly deleted: string[]; readonly added: string[] }[] = [];
  let shift = 0;
  for (const { start, lines } of hunks) {
    let at = start;
    let isInside = false;
    for (const { kind, text, isOpen } of lines) {
      if (kind !== "context" && !isInside) edits.push({ at: at + shift, deleted: [], added: [] });
      isInside = kind !== "context";
      const line = isOpen ? text : `${text}\n`;
      if (kind === "delete") edits.at(-1)?.deleted.push(line);
      if (kind === "add") edits.at(-1)?.added.push(line);
      if (kind !== "add") at += 1;
      if (kind === "add") shift += 1;
      if (kind === "delete") shift -= 1;
      // A run of changes stands at its first line until it ends.
    }
  }
  return edits;
}

function grow(lines: readonly string[], { at, deleted, added }: Edit): Replacement {
  const text = lines.join("");
  for (let size = deleted.length > 0 ? 0 : 1; ; size++) {
    const head = lines.slice(Math.max(0, at - size), at);
    const tail = lines.slice(at + deleted.length, at + deleted.length + size);
    const isWhole = head.length + tail.length + deleted.length === lines.length;
    if (isWhole || isOnly(text, [...head, ...deleted, ...tail].join(""))) return { head, deleted, added, tail };
  }
}

function isOnly(text: string, wanted: string): boolean {
  const first = text.indexOf(wanted);
  return wanted.trim() !== "" && first !== -1 && text.indexOf(wanted, first + 1) === -1;
}

function cutLines(text: string): string[] {
  const lines = text.split(/(?<=\n)/);
  return text === "" ? [] : lines;
}
