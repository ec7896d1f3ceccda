/**
 * Markdown -> Markdown that does nothing by itself when GitHub renders it: no mention, no picture fetched from elsewhere, no HTML
 * beyond a short list. The output is built so that we and GitHub agree on what is code: whatever could be read in two ways (a lone
 * backtick, a fence in a quote, a fence after an HTML line) is written in the one way that we checked.
 */

export type Neutral = {
  /** A login that may be mentioned. */
  readonly mention: string | null;
  /** The one issue that a closing keyword may name; null for none, undefined for any. */
  readonly closes: number | null | undefined;
};

type Fence = { readonly indent: string; readonly marks: string; readonly info: string };

export function neutralise(markdown: string, allowed: Neutral): string {
  const out: string[] = [];
  let paragraph: string[] = [];
  let fence: Fence | null = null;
  const flush = (): void => {
    if (paragraph.length > 0) out.push(neutraliseParagraph(paragraph.join("\n"), allowed));
    paragraph = [];
  };
  for (const line of markdown.split("\n")) {
    if (fence) {
      const isEnd = isClosing(line, fence);
      out.push(isEnd ? fence.indent + fence.marks : padTo(fence.indent, line));
      if (isEnd) fence = null;
      continue;
    }
    fence = readFence(line);
    if (!fence && line.trim() !== "") {
      paragraph.push(line);
      continue;
    }
    // An HTML block ends at a blank line only: without one GitHub would take the fence for a part of it.
    const isAfterText = paragraph.length > 0;
    flush();
    if (fence && isAfterText) out.push("");
    out.push(fence ? fence.indent + fence.marks + fence.info : "");
  }
  flush();
  if (fence) out.push(fence.indent + fence.marks);
  return out.join("\n");
}

/** Three spaces at most: more is an indented block, or depends on the list around it. */
function readFence(line: string): Fence | null {
  const match = /^( {0,3})(?:(`{3,})([^`]*)|(~{3,})(.*))$/.exec(line);
  if (!match) return null;
  const [, indent = "", ticks, ticksInfo, tildes, tildesInfo] = match;
  return { indent, marks: ticks ?? tildes ?? "", info: ticksInfo ?? tildesInfo ?? "" };
}

/** An indented fence may stand in a list, where the closing one may be indented by any number of spaces. */
function isClosing(line: string, { indent, marks }: Fence): boolean {
  const text = line.trim();
  if (indent === "" && !/^ {0,3}\S/.test(line)) return false;
  return text.length >= marks.length && text === marks.charAt(0).repeat(text.length);
}

/** In a list a line further left than its fence ends the item, and with it the fence. */
function padTo(indent: string, line: string): string {
  return line.trim() === "" || line.startsWith(indent) ? line : indent + line.trimStart();
}

/** Tags that show text and fetch nothing. Not `pre`: Markdown is off until its end, and with it all that is done here. */
const TAG =
  "details|summary|br|hr|sub|sup|kbd|code|samp|var|b|strong|i|em|s|del|ins|p|ul|ol|li|dl|dt|dd|blockquote|" +
  "table|thead|tbody|tr|td|th|h[1-6]";

const DOMAIN = String.raw`(?:[a-z0-9-]+\.)+[a-z]{2,}`;
/** Hosts whose pictures tell nobody but GitHub that they were looked at. Not camo: it fetches from anywhere. */
const PICTURES = String.raw`(?:github\.com|(?!camo\.)[a-z0-9-]+\.githubusercontent\.com)`;

/** A code span on one line. A longer one is taken for text: GitHub might end the paragraph in its middle. */
const span = (character: string): string => `(?<code>(?<ticks>\`+)(?!\`)(?:${character})*?(?<!\`)\\k<ticks>(?!\`))`;
const ESCAPE = String.raw`(?<escape>\\[!-.:;=>?[-\x60{-~])`; // Not of `<`, `@` and `/`: those are looked at for themselves.
/** As far as GitHub may take an address to reach: to a space of ASCII, or to a `<`. */
const LINKS = [
  String.raw`(?<autolink><https?://[^\s<>\x60]*>)`,
  String.raw`(?<url>(?:(?:https?|ftp)://|www\.)[^ \t\n\f\r\v<]*)`,
];

/** The issue behind a closing keyword, which GitHub would close with the merge. */
const CLOSED = String.raw`(?<=(?<![a-z])(?:close[sd]?|fix(?:es|ed)?|resolve[sd]?):?[\s*_~]{1,8})\\?(?<issue>(?:[\w.-]+/[\w.-]+)?#\d+|GH-\d+|https?://[^\s<>()\x60]+/(?:issues|pull)/\d+)`;

/** What is looked at outside fences, at each place the first that fits; all else is left as it is. */
const PARTS = [
  String.raw`(?<marks>\x60+|~{3,})`,
  String.raw`(?<comment><!--(?:(?!<!--)[^])*?-->)`,
  String.raw`(?<open>\\<|<(?=[a-z/!?])(?!/?(?:${TAG})(?:\s[^<>\x60]*)?/?>))`,
  String.raw`(?<tag><(?<slash>/?)(?<name>${TAG})(?<attributes>\s[^<>\x60]*)?/?>)`,
  String.raw`(?<picture>!\[[^\[\]\n<>\x60\\]*\]\(\s*https://${PICTURES}/[^\s()<>\x60\\]*\s*\))`,
  String.raw`(?<image>!+\[)`,
  String.raw`(?<email>(?<![\w@.+-])[a-z0-9][a-z0-9.+-]{0,63}@${DOMAIN}(?![\w@-]|\.\w))`,
  String.raw`\\?(?<mention>@(?=\S)(?:[\w./@-]{0,140}\w)?)`,
  String.raw`(?=\\?/)(?<=^[ \t>*_-]*)\\?(?<slashed>/[a-z][\w-]*)(?=\s|$)`,
];

const compile = (parts: readonly string[]): RegExp => new RegExp(parts.join("|"), "gim");
const TEXT = compile([CLOSED, ESCAPE, span(String.raw`[^\n]`), ...LINKS, ...PARTS]);
/** Cells are divided before code spans are found, except by a pipe with a backslash. */
const TABLE = compile([CLOSED, ESCAPE, span(String.raw`[^\n|]|(?<=\\)\|`), ...LINKS, ...PARTS]);
/** In an HTML block backticks, backslashes and links mean nothing. */
const HTML = compile([CLOSED, ...PARTS]);

/** A line that may start an HTML block, also in a quote, a list or a footnote. */
const HTML_LINE = /^(?:[ \t>]|[-*+][ \t]|\d{1,9}[.)][ \t]|\[\^[^\]\n]+\]:)*<[a-z/!?]/im;
/** The second row of a table, among others. */
const TABLE_LINE = /^[ \t>|:]*-[ \t>|:-]*$/m;

type Groups = Readonly<Record<string, string | undefined>>;

/** A part of the text as it may stand, or to be shown as code, which GitHub acts on in no way. */
type Part = { readonly kind: "as-is"; readonly text: string } | { readonly kind: "code"; readonly text: string };

function neutraliseParagraph(original: string, allowed: Neutral): string {
  // Spelled out they are still acted on: GitHub looks for them in the rendered page.
  const text = original
    .replaceAll(/&(?:#0*64(?!\d);?|#x0*40(?![0-9a-f]);?|commat;)/gi, "@")
    .replaceAll(/&(?:#0*35(?!\d);?|#x0*23(?![0-9a-f]);?|num;)/gi, "#");
  const isHtml = HTML_LINE.test(text);
  return text.replaceAll(isHtml ? HTML : TABLE_LINE.test(text) ? TABLE : TEXT, (...match) => {
    const [whole, offset, groups]: [string, number, Groups] = [match[0], match.at(-3), match.at(-1)];
    const [left, right] = [text[offset - 1], text[offset + whole.length]];
    const part = readPart(whole, groups, { allowed, next: right });
    if (part.kind === "as-is") return part.text;
    if (isHtml) return `${left === "\\" ? " " : ""}<code>${part.text}</code>`;
    // Beside another backtick it would be a run of two, which closes nothing.
    return `${left === "`" ? " " : ""}\`${part.text}\`${right === "`" ? " " : ""}`;
  });
}

function readPart(whole: string, groups: Groups, around: { allowed: Neutral; next: string | undefined }): Part {
  const { marks, comment, tag, open, image, url, issue, mention, slashed } = groups;
  const { allowed, next } = around;
  // As entities they can neither open nor close anything, in Markdown or in HTML.
  if (marks !== undefined) return asIs(marks.replaceAll("`", "&#96;").replaceAll("~", "&#126;"));
  // A space, since what stands on both sides must not grow together.
  if (comment !== undefined) return asIs(" ");
  if (tag !== undefined) return asIs(readTag(groups));
  if (open !== undefined) return asIs("&lt;");
  if (image !== undefined) return asIs("&#33;".repeat(image.length - 2) + (next === "]" ? "[image" : "["));
  if (url !== undefined) return asIs(readUrl(url) + (next === "<" ? " " : ""));
  if (issue !== undefined) {
    const isAllowed = allowed.closes === undefined || issue === `#${allowed.closes}`;
    return isAllowed ? asIs(issue) : code(issue);
  }
  if (mention !== undefined) {
    const isAllowed = allowed.mention !== null && mention.toLowerCase() === `@${allowed.mention.toLowerCase()}`;
    return isAllowed ? asIs(mention) : code(mention);
  }
  return slashed === undefined ? asIs(whole) : code(slashed);
}

function readTag({ slash = "", name = "", attributes = "" }: Groups): string {
  const tag = name.toLowerCase();
  return tag === "details" && slash === "" && /\bopen\b/i.test(attributes) ? "<details open>" : `<${slash}${tag}>`;
}

/** Not every address becomes a link, and what is none is text: nothing in it may act. */
function readUrl(url: string): string {
  const quiet = url.replaceAll("@", "%40").replaceAll("`", "%60");
  return quiet.replaceAll(/!(?=\[|$)/g, "%21");
}

function code(text: string): Part {
  return { kind: "code", text };
}

function asIs(text: string): Part {
  return { kind: "as-is", text };
}
