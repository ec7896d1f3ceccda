/** The text of a patch as numbered lines, without what models put around it: blank lines, a heredoc, a code fence. */

/** A line of the patch with its 1-based number in the text as it came. */
export type PatchLine = { readonly text: string; readonly number: number; readonly hasReturn: boolean };

export function readPatchLines(text: string): readonly PatchLine[] {
  const raw = text.split("\n");
  const all = raw.map((line, i) => {
    if (line.endsWith("\r")) return { text: line.slice(0, -1), number: i + 1, hasReturn: true };
    // The text's last line has lost its ending: it had that of the line above.
    const isCut = i === raw.length - 1 && /^[-+ ]/.test(line);
    return { text: line, number: i + 1, hasReturn: isCut && raw[i - 1]?.endsWith("\r") === true };
  });
  let lines = trimBlank(all);
  const [first, last] = [lines[0], lines.at(-1)];
  const isHeredoc =
    /^(?:apply_?patch\s+)?<<-?\s*(['"]?)EOF\1$/.test(first?.text.trim() ?? "") && last?.text.trim().endsWith("EOF");
  const isFence = first?.text.startsWith("```") && last?.text.trim() === "```";
  if (lines.length >= 4 && (isHeredoc || isFence)) lines = trimBlank(lines.slice(1, -1));
  return lines;
}

/**
 * A text whose every line ends in "\r\n" was typed or sent so; what its lines say of endings stands before that. One "\r" of each goes,
 * so that a diff of a CRLF file has its own left.
 */
export function withoutTransport(text: string): string {
  const isSentSo = text.includes("\r\n") && !/(?<!\r)\n/.test(text);
  return isSentSo ? text.replaceAll("\r\n", "\n").replace(/\r$/, "") : text;
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
  const told = lines.findLastIndex(({ text }) => text.trim() !== "");
  // What begins with a space may be a blank line of context; below an end it is only space.
  const isEnded = /^(?:\*\*\* End Patch|```|EOF)$/.test(lines[told]?.text.trim() ?? "");
  const last = isEnded ? told : lines.findLastIndex(({ text }) => text.trim() !== "" || text.startsWith(" "));
  return first === -1 ? [] : lines.slice(first, last + 1);
}
