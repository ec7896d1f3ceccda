/**
 * Markdown as a reader of the page sees it, for a brief. It takes noise and the usual hiding places away; it is not what keeps an
 * injection harmless: that the agent holds no credential is.
 */
import { removeInvisible } from "./invisible.ts";

/** `removed` names each kind of thing that was taken out, for the reader to be told. */
export type VisibleText = { readonly text: string; readonly removed: readonly string[] };

export function visibleText(markdown: string): VisibleText {
  const plain = removeInvisible(markdown);
  const removed = new Set(plain.removed);
  const shown = plain.text.replaceAll(SEEN, (...match) => {
    const groups: Groups = match.at(-1);
    const { text, kind } = show(match[0], groups);
    if (kind !== null) removed.add(kind);
    return text;
  });
  const text = shown.replaceAll(DEFINITION, (definition, label: string, target: string, title: string | undefined) => {
    if (title !== undefined) removed.add("link titles");
    if (isUsed(shown, label)) return title === undefined ? definition : `[${label}]: ${target}`;
    removed.add("unused link definitions");
    return "";
  });
  return { text, removed: [...removed] };
}

type Groups = Readonly<Record<string, string | undefined>>;
type Shown = { readonly text: string; readonly kind: string | null };

/** Elements whose content a page does not show, or shows as something else. */
const UNSEEN = "script|style|template|textarea|title|noscript|noembed|noframes|iframe|object|svg|math|xmp|head|select";

/** A title in any of Markdown's three quotes. */
const TITLE = String.raw`"(?:[^"\\]|\\[^])*?"|'(?:[^'\\]|\\[^])*?'|\((?:[^()\\]|\\[^])*?\)`;
const TARGET = String.raw`<[^<>\n]*>|[^\s()<>]*(?:\([^\s()]*\)[^\s()<>]*)*`;

/** What is looked at, in the order a Markdown parser would meet it. Code comes first: there everything is seen. */
const SEEN = new RegExp(
  [
    String.raw`(?<code>^[ \t]*(?:(?:>|[-*+]|\d{1,9}[.)])[ \t]+)*(?<fence>\x60{3,}|~{3,})[^\x60\n]*\n(?:[^]*?^[ \t>]*\k<fence>[\x60~]*[ \t]*$|[^]*)` +
      String.raw`|(?<!\x60)(?<ticks>\x60+)(?!\x60)(?:(?!\n[ \t]*\n)[^])*?(?<!\x60)\k<ticks>(?!\x60))`,
    String.raw`(?<comment><!---?>|<!--[^]*?-->|(?<=^[ \t]*)<!--[^]*)`,
    String.raw`(?<unseen><(?<tag>${UNSEEN})\b[^]*?(?:</\k<tag>\s*>|$(?![^])))`,
    String.raw`(?<hidden><(?<box>[a-z][a-z0-9]*)\b[^<>]*\s(?:hidden\b|style\s*=\s*["'][^"'<>]*(?:display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0|opacity\s*:\s*0))[^<>]*>[^]*?(?:</\k<box>\s*>|$(?![^])))`,
    String.raw`(?<element><(?<name>[a-z][a-z0-9-]*)(?<attributes>\s(?:[^<>"']|"[^"]*"|'[^']*')*)>)`,
    String.raw`(?<image>!\[(?<alt>(?:[^\[\]\\]|\\[^]|\[[^\[\]]*\])*)\](?=[(\[])(?:\(\s*(?<source>${TARGET})\s*(?:${TITLE})?\s*\))?)`,
    String.raw`(?<link>\]\(\s*(?<target>${TARGET})\s+(?:${TITLE})\s*\))`,
    String.raw`(?<entity>&(?:#x?[0-9a-f]{1,6}|zwj|zwnj|shy|lrm|rlm|ZeroWidthSpace|NoBreak|InvisibleTimes|InvisibleComma|ApplyFunction|ic|it|af);)`,
  ].join("|"),
  "gim",
);

function show(whole: string, groups: Groups): Shown {
  if (groups["code"] !== undefined) return { text: whole, kind: null };
  if (groups["comment"] !== undefined) return { text: "", kind: "HTML comments" };
  if (groups["unseen"] !== undefined || groups["hidden"] !== undefined) return { text: "", kind: "hidden HTML" };
  if (groups["element"] !== undefined) return showElement(groups["name"] ?? "", groups["attributes"] ?? "");
  if (groups["image"] !== undefined) return showImage(whole, groups);
  if (groups["link"] !== undefined) return { text: `](${groups["target"]})`, kind: "link titles" };
  return showEntity(whole);
}

/** Attributes that a page acts on in view of the reader; of the rest only the layout goes without a word. */
const KEPT = /\b(href|src|open)(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'<>]+))?/gi;
const LAYOUT = /\b(?:align|valign|width|height|border|colspan|rowspan)\s*=\s*(?:"[\w%]*"|'[\w%]*'|[\w%]+)/gi;

function showElement(name: string, attributes: string): Shown {
  const kept = [...attributes.matchAll(KEPT)].map(([attribute]) => ` ${attribute}`).join("");
  const rest = attributes.replaceAll(KEPT, "").replaceAll(LAYOUT, "").replaceAll(/[\s/]/g, "");
  return { text: `<${name}${kept}>`, kind: rest === "" ? null : "HTML attributes" };
}

function showImage(whole: string, groups: Groups): Shown {
  const source = groups["source"];
  const text = source === undefined ? "![]" : `![](${source})`;
  return { text, kind: text === whole ? null : "image descriptions" };
}

/** An invisible character spelled out; all others stay as they are. */
function showEntity(entity: string): Shown {
  const number = /^&#(x?)([0-9a-f]+);$/i.exec(entity);
  if (!number) return { text: "", kind: "zero-width characters" };
  const code = parseInt(number[2] ?? "", number[1] ? 16 : 10);
  if (!(code <= 0x10ffff)) return { text: entity, kind: null };
  const kind = removeInvisible(String.fromCodePoint(code)).removed[0];
  return kind === undefined ? { text: entity, kind: null } : { text: "", kind };
}

/** `[label]: target "title"` and `[^note]: text`. A page shows neither; what is not used is read by nobody. */
const DEFINITION = new RegExp(
  String.raw`^ {0,3}\[([^\[\]\n]+)\]:[ \t]*(\S*)[ \t]*(?:\n?[ \t]*(${TITLE}))?[ \t]*$`,
  "gm",
);

function isUsed(markdown: string, label: string): boolean {
  return markdown.toLowerCase().split(`[${label.toLowerCase()}]`).length > 2;
}
