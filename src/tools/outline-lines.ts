/** An outline without a grammar: headings of Markdown, lines that open with a word of declaration elsewhere. A guess, and told as one. */
import { lineAt, readLines, type Lines } from "../patch/lines.ts";
import type { Symbol } from "./outline.ts";

const HEADING = /^(#{1,6})\s+(.*\S)/;
const DECLARATION =
  /^(\s*)(?:(?:export|default|pub|public|private|protected|internal|static|final|abstract|async|open|override|data|sealed|inline|local|suspend)\s+)*(?:class|interface|struct|enum|trait|object|protocol|extension|module|namespace|def|defp|defmodule|fun|func|function|fn|sub|proc|type|contract|message|service)\s+([\p{L}_$][\p{L}\p{N}_.:$?!]*)/u;

const SYMBOLS_MAX = 3000;
/** Longer lines are no declarations. */
const LINE_CHARS_MAX = 1000;

type Mark = { readonly name: string; readonly level: number; readonly line: number };

export function readOutlineLines(path: string, text: string): readonly Symbol[] {
  const lines = readLines(text);
  const marks = /\.(md|markdown)$/i.test(path) ? headingsOf(lines) : declarationsOf(lines);
  const found: Symbol[] = [];
  const open: Mark[] = [];
  for (const [i, mark] of marks.slice(0, SYMBOLS_MAX).entries()) {
    while ((open.at(-1)?.level ?? -1) >= mark.level) open.pop();
    const after = marks.find(({ level }, at) => at > i && level <= mark.level)?.line ?? lines.count + 1;
    const names = [...open.map(({ name }) => name), mark.name];
    found.push({
      ...{ name: names.join("."), depth: open.length, line: mark.line, first: mark.line },
      last: lastWritten(lines, after - 1),
    });
    open.push(mark);
  }
  return found;
}

function headingsOf(lines: Lines): readonly Mark[] {
  const marks: Mark[] = [];
  let isFenced = false;
  for (let i = 0; i < lines.count; i++) {
    const line = lineAt(lines, i);
    if (/^\s*(```|~~~)/.test(line)) isFenced = !isFenced;
    const [, hashes = "", name = ""] = isFenced ? [] : (HEADING.exec(line) ?? []);
    if (name !== "") marks.push({ name, level: hashes.length, line: i + 1 });
  }
  return marks;
}

function declarationsOf(lines: Lines): readonly Mark[] {
  const marks: Mark[] = [];
  for (let i = 0; i < lines.count; i++) {
    const [, indent = "", name = ""] = DECLARATION.exec(lineAt(lines, i).slice(0, LINE_CHARS_MAX)) ?? [];
    if (name !== "") marks.push({ name: name.replace(/:$/, ""), level: indent.length, line: i + 1 });
  }
  return marks;
}

/** Blank lines before the next one belong to nobody. */
function lastWritten(lines: Lines, last: number): number {
  let at = last;
  while (at > 1 && lineAt(lines, at - 1).trim() === "") at -= 1;
  return at;
}
