/** Git's text of one file's change -> lines that know their part, and the hunks among them. */

/** A line of any rendered patch. `text` is what stands after the prefix; headers and "\ No newline" lines are "meta" and have none. */
export type DiffLine = { readonly kind: "context" | "delete" | "add" | "scope" | "meta"; readonly text: string };

/** A hunk's line: `isOpen` when git says that no newline follows it. The text keeps a "\r". */
export type HunkLine = {
  readonly kind: "context" | "delete" | "add";
  readonly text: string;
  readonly isOpen: boolean;
};

export type DiffHunk = {
  /** 0-based line of the old text where the hunk begins. */
  readonly start: number;
  readonly lines: readonly HunkLine[];
};

const PREFIXES = { context: " ", delete: "-", add: "+", scope: "@@ ", meta: "" } as const;
const KINDS = new Map<string, HunkLine["kind"]>([
  [" ", "context"],
  ["-", "delete"],
  ["+", "add"],
]);

export function readDiff(text: string): { readonly lines: readonly DiffLine[]; readonly hunks: readonly DiffHunk[] } {
  const lines: DiffLine[] = [];
  const hunks: { readonly start: number; readonly lines: HunkLine[] }[] = [];
  for (const line of text.replace(/\n$/, "").split("\n")) {
    const header = /^@@ -(\d+)(,0)?/.exec(line);
    // "-12,0" stands after line 12.
    if (header) hunks.push({ start: Number(header[1]) - (header[2] === undefined ? 1 : 0), lines: [] });
    const inside = hunks.at(-1)?.lines;
    const kind = KINDS.get(line.slice(0, 1));
    if (inside && kind) {
      inside.push({ kind, text: line.slice(1), isOpen: false });
      lines.push({ kind, text: line.slice(1) });
      continue;
    }
    lines.push({ kind: "meta", text: line });
    const last = inside?.pop();
    if (last) inside?.push({ ...last, isOpen: last.isOpen || line.startsWith("\\") });
  }
  return { lines, hunks };
}

export function renderLines(lines: readonly DiffLine[]): string {
  return lines.map(({ kind, text }) => PREFIXES[kind] + text).join("\n");
}
