/** The text of a patch as numbered lines, without what models put around it: blank lines, a heredoc, a code fence. */

/** A line of the patch with its 1-based number in the text as it came. */
export type PatchLine = { readonly text: string; readonly number: number; readonly hasReturn: boolean };

export function readPatchLines(text: string): readonly PatchLine[] {
  let lines = trimBlank(
    text.split("\n").map((line, i) => {
      const hasReturn = line.endsWith("\r");
      return { text: hasReturn ? line.slice(0, -1) : line, number: i + 1, hasReturn };
    }),
  );
  const [first, last] = [lines[0], lines.at(-1)];
  const isHeredoc =
    /^(?:apply_?patch\s+)?<<-?\s*(['"]?)EOF\1$/.test(first?.text.trim() ?? "") && last?.text.trim().endsWith("EOF");
  const isFence = first?.text.startsWith("```") && last?.text.trim() === "```";
  if (lines.length >= 4 && (isHeredoc || isFence)) lines = trimBlank(lines.slice(1, -1));
  return lines;
}

/**
 * Whether the lines of a file's section tell its endings: its header ends in "\n" and some line below in "\r\n", as in what git
 * prints. A patch that is all "\r\n" was only typed or sent so.
 */
export function tellsEndings(header: PatchLine, body: readonly PatchLine[]): boolean {
  return !header.hasReturn && body.some((line) => line.hasReturn && /^[-+ ]/.test(line.text));
}

function trimBlank(lines: readonly PatchLine[]): readonly PatchLine[] {
  const first = lines.findIndex(({ text }) => text.trim() !== "");
  // One space at the end is a blank line of context.
  const last = lines.findLastIndex(({ text }) => text.trim() !== "" || text === " ");
  return first === -1 ? [] : lines.slice(first, last + 1);
}
