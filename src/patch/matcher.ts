/** Looks for blocks of lines in a file, pass by pass. Folded lines are kept, so that many chunks cost one folding. */
import { foldLine, type Pass } from "./fold.ts";
import { BYTE_ORDER_MARK, lineAt, type Lines } from "./lines.ts";

/** Starts are 0-based and lie in from..to (`to` exclusive); a block that begins there may end later. */
export type Range = { readonly from: number; readonly to: number };

export type Matcher = {
  /** First lines of the block's places in the range, by one pass; at most `limit` when given. */
  readonly find: (block: readonly string[], range: Range, options: FindOptions) => readonly number[];
};

export type FindOptions = { readonly pass: Pass; readonly limit?: number };

export function openMatcher(lines: Lines): Matcher {
  const folded = new Map<Pass, readonly string[]>();
  const foldedLines = (pass: Pass): readonly string[] => {
    const known = folded.get(pass);
    if (known) return known;
    const fresh = Array.from({ length: lines.count }, (_, i) => foldLine(lineAt(lines, i), pass));
    folded.set(pass, fresh);
    return fresh;
  };
  return {
    find(block, range, { pass, limit = Number.POSITIVE_INFINITY }) {
      const known = pass === "exact" ? null : foldedLines(pass);
      const wanted = block.map((line) => foldLine(line, pass));
      const isSame: IsSame = known ? (i, text) => known[i] === text : (i, text) => isLine(lines, i, text);
      const starts: number[] = [];
      const last = Math.min(range.to - 1, lines.count - block.length);
      for (let start = Math.max(0, range.from); start <= last && starts.length < limit; start++)
        if (wanted.every((text, i) => isSame(start + i, text))) starts.push(start);
      return starts;
    },
  };
}

type IsSame = (index: number, text: string) => boolean;

/**
 * Compares in place: slicing a million lines to look for one would be most of the work. Git shows a byte-order mark as the first
 * character of the first line.
 */
function isLine(lines: Lines, index: number, given: string): boolean {
  const text = index === 0 && given.startsWith(BYTE_ORDER_MARK) && lines.starts[0] === 1 ? given.slice(1) : given;
  const start = lines.starts[index] ?? 0;
  return (lines.ends[index] ?? 0) - start === text.length && lines.text.startsWith(text, start);
}
