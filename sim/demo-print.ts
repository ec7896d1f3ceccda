/** How the demo looks in a terminal: headings, quoted Markdown, lines that fit. */
import { stripVTControlCharacters } from "node:util";

const isTerminal = process.stdout.isTTY === true && !process.env["NO_COLOR"];
const COLUMNS = 160;

export function heading(text: string): void {
  console.log(isTerminal ? `\n\x1b[1m== ${text}\x1b[0m\n` : `\n== ${text}\n`);
}

/** Markdown as it was sent, our invisible markers left out, set off by a bar. */
export function printQuoted(markdown: string): void {
  const visible = stripVTControlCharacters(markdown)
    .replaceAll(/<!--.*?-->/gs, "")
    .trim();
  for (const line of visible.split("\n")) console.log(`  | ${line}`);
}

export function shorten(line: string): string {
  return line.length > COLUMNS ? `${line.slice(0, COLUMNS - 1)}…` : line;
}
