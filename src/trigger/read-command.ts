/** A comment -> the command in it. It decides nothing: whether the verb means something here is decide's question. */

/**
 * `verb` is the first word in lower case, "" when only the bot was called; `text` is the rest of the comment, as written, and `said`
 * both.
 */
export type Command = { readonly verb: string; readonly text: string; readonly said: string };

/**
 * The first command of a comment: a line that starts with `/agent` or `@<slug>`. What stands in quotes, code or HTML comments was
 * not said to us. Up to three spaces may lead, as Markdown has it: four make a code block.
 */
export function readCommand(body: string, slug: string): Command | null {
  // A slug is made of letters, digits and dashes only, so it is its own pattern.
  const call = new RegExp(`^ {0,3}(?:/agent|@${slug}[,:]?)(?=\\s|$)`, "im").exec(maskUnsaid(body));
  if (!call) return null;
  const said = body.slice(call.index + call[0].length);
  // The verb stands on the same line: `/agent` and a paragraph below it is `/agent` with a text.
  const [start = "", word = ""] = /^[ \t]*(\S*)/.exec(said) ?? [];
  const verb = word.toLowerCase().replace(/[.,:;!?]+$/, "");
  return { verb, text: said.slice(start.length).trim(), said: said.trim() };
}

/** Openers of what a reader sees as not said by the writer, in the order a Markdown parser would meet them. */
const OPENER = [
  /^[ \t]*>[^\n]*$/, // A quoted line.
  /^[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*(?:(?<ticks>`{3,})[^`\n]*|(?<tildes>~{3,})[^\n]*)$/, // A fence, also in a list.
  /(?<comment><!--)/,
  /<(?<tag>pre|code)\b/,
  /(?<run>`+)/, // An inline code span.
];

/** The same text, same length, with quotes, code and HTML comments blanked out (line ends stay). */
function maskUnsaid(body: string): string {
  const opener = new RegExp(OPENER.map((pattern) => pattern.source).join("|"), "gim");
  let masked = "";
  let seen = 0;
  for (let match = opener.exec(body); match; match = opener.exec(body)) {
    const end = endOfUnsaid(body, match);
    masked += body.slice(seen, match.index) + body.slice(match.index, end).replace(/[^\n]/g, "\0");
    seen = end;
    opener.lastIndex = end;
  }
  return masked + body.slice(seen);
}

function endOfUnsaid(body: string, match: RegExpExecArray): number {
  const after = match.index + match[0].length;
  const { ticks, tildes, comment, tag, run } = match.groups ?? {};
  const fence = ticks ?? tildes;
  if (fence) return endOf(body, after, new RegExp(`^[ \\t]*${fence}+[ \\t]*$`, "gm")) ?? body.length;
  // From the second dash on: `<!-->` is a whole comment.
  if (comment) return endOf(body, match.index + 2, /-->/g) ?? body.length;
  if (tag) return endOf(body, after, new RegExp(`</${tag}\\s*>`, "gi")) ?? body.length;
  // A span closes with as many ticks before the paragraph ends, or it was no span.
  if (run) return endOf(body, after, new RegExp(`(?<!\`)${run}(?!\`)|\\n[ \\t\\r]*\\n`, "g"), run) ?? after;
  return after;
}

/** Where the first match of `pattern` from `from` on ends; null when there is none, or another than `wanted`. */
function endOf(body: string, from: number, pattern: RegExp, wanted?: string): number | null {
  pattern.lastIndex = from;
  const match = pattern.exec(body);
  if (!match || (wanted !== undefined && match[0] !== wanted)) return null;
  return match.index + match[0].length;
}
