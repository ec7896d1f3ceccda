/** What the read tool shows of one file: numbered lines, a symbol, an outline; within its share of the room, with what was left out. */
import { lineAt, numberLines, readLines, type Lines } from "../patch/lines.ts";
import { findSymbols, type Outline, type Symbol } from "./outline.ts";

/** `text` holds lines of the file, `outline` only tells of them. */
export type Shown = { readonly kind: "text" | "outline" | "failure"; readonly text: string };

/** Of one name: overloads, or a name that many classes have. */
const MATCHES_MAX = 5;
const NAMES_MAX = 40;
const OUTLINE_LINE_CHARS_MAX = 120;

type Range = { readonly first: number; readonly last: number | null; readonly bytesMax: number };

export function showLines(text: string, { first, last: asked, bytesMax }: Range): Shown {
  const lines = readLines(text);
  if (lines.count === 0) return { kind: "text", text: "The file is empty." };
  if (first > lines.count) return failure(`start_line is ${first}, but the file has ${lines.count} lines.`);
  if (asked !== null && asked < first) return failure(`end_line (${asked}) is before start_line (${first}).`);
  const last = Math.min(asked ?? lines.count, lines.count);
  const { shown, end } = fit(lines, { first, last, bytesMax });
  if (end < last) {
    const rest = `lines ${end + 1} to ${last} of ${lines.count}`;
    return { kind: "text", text: `${shown}\n[… ${rest} not shown; ask for them with start_line, or for a symbol …]` };
  }
  const place = first > 1 || last < lines.count ? `\n[lines ${first} to ${last} of ${lines.count}]` : "";
  return { kind: "text", text: shown + place };
}

export function showOutline(text: string, outline: Outline, bytesMax: number): Shown {
  if (outline.kind === "none") return failure(`No outline: ${outline.why}.`);
  const lines = readLines(text);
  if (outline.symbols.length === 0) return { kind: "outline", text: `No symbols found in ${lines.count} lines.` };
  const rows = outline.symbols.map((symbol) => {
    const said = lineAt(lines, symbol.line - 1).trim();
    return `${"  ".repeat(symbol.depth)}${rangeOf(symbol)}: ${said.slice(0, OUTLINE_LINE_CHARS_MAX)}`;
  });
  const kept: string[] = [];
  let bytes = 0;
  for (const row of rows) {
    bytes += Buffer.byteLength(row) + 1;
    if (bytes > bytesMax) break;
    kept.push(row);
  }
  const notes = [
    ...(kept.length < rows.length ? [`[… first ${kept.length} of ${rows.length} symbols …]`] : []),
    `[${lines.count} lines${outline.isGuess ? "; found by line patterns, some may be missing" : ""}]`,
  ];
  return { kind: "outline", text: [...kept, ...notes].join("\n") };
}

type Asked = { readonly outline: Outline; readonly symbol: string; readonly bytesMax: number };

export function showSymbol(text: string, { outline, symbol, bytesMax }: Asked): Shown {
  if (outline.kind === "none") return failure(`No symbols: ${outline.why}.`);
  const found = findSymbols(outline.symbols, symbol);
  if (found.length === 0) return failure(`There is no symbol "${symbol}" in it. ${namesOf(outline.symbols)}`);
  const shown = found.slice(0, MATCHES_MAX);
  const share = Math.floor(bytesMax / shown.length);
  const parts = shown.map(({ first, last }) => showLines(text, { first, last, bytesMax: share }).text);
  const rest = found.slice(MATCHES_MAX).map((one) => `${one.name} (${rangeOf(one)})`);
  if (rest.length > 0) parts.push(`[… ${rest.length} more of that name: ${rest.slice(0, NAMES_MAX).join(", ")} …]`);
  return { kind: "text", text: parts.join("\n\n") };
}

function namesOf(symbols: readonly Symbol[]): string {
  if (symbols.length === 0) return "No symbols were found; ask for lines.";
  const names = [...new Set(symbols.map(({ name }) => name))];
  const more = names.length > NAMES_MAX ? ` … and ${names.length - NAMES_MAX} more` : "";
  return `It has: ${names.slice(0, NAMES_MAX).join(", ")}${more}.`;
}

/** As many whole lines as there is room for; at least one. */
function fit(lines: Lines, { first, last, bytesMax }: { first: number; last: number; bytesMax: number }) {
  let bytes = 0;
  let shown = "";
  for (let at = first; at <= last; at++) {
    const row = numberLines(lines, at - 1, at);
    bytes += Buffer.byteLength(row) + 1;
    if (bytes > bytesMax && at > first) return { shown, end: at - 1 };
    shown += at === first ? row : `\n${row}`;
  }
  return { shown, end: last };
}

function rangeOf({ first, last }: Symbol): string {
  return first === last ? String(first) : `${first}-${last}`;
}

function failure(text: string): Shown {
  return { kind: "failure", text };
}
