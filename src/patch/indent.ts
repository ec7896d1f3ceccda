/** Indentation that a model got uniformly wrong: found from pairs of lines, then put right in the lines it wants to write. */
import { BYTE_ORDER_MARK } from "./lines.ts";

/** The same line as the model wrote it and as the file has it. */
export type LinePair = { readonly given: string; readonly actual: string };

type Shift =
  | { readonly kind: "deeper" | "shallower"; readonly by: string }
  | { readonly kind: "to-tabs" | "to-spaces"; readonly unit: string };

/** Widths of an indentation level that occur in the wild. */
const WIDTHS: readonly number[] = [2, 4, 8, 3];

/**
 * New lines moved as the old ones must be, or null when no one rule explains all old lines or says where each new one belongs. Old
 * lines with tabs for spaces, or the reverse, say nothing of the new ones: those may be as the file is, or as the old ones were typed.
 */
export function reindent(pairs: readonly LinePair[], fresh: readonly string[]): readonly string[] | null {
  const told = pairs
    .filter(({ given }) => given.trim() !== "")
    .map(({ given, actual }) => ({ given: indentOf(given), actual: indentOf(actual) }));
  if (told.every(({ given, actual }) => given === actual)) return fresh;
  const shift = candidates(told).find((one) => told.every(({ given, actual }) => move(given, one) === actual));
  if (!shift) return null;
  const moved = fresh.flatMap((line) => moveLine(line, shift) ?? []);
  if ("unit" in shift) return moved.every((line, i) => line === fresh[i]) ? fresh : null;
  return moved.length === fresh.length ? moved : null;
}

function candidates(pairs: readonly LinePair[]): readonly Shift[] {
  const shifts: Shift[] = [];
  const [first] = pairs;
  if (first) {
    const { given, actual } = first;
    if (actual.endsWith(given)) shifts.push({ kind: "deeper", by: actual.slice(0, actual.length - given.length) });
    if (given.endsWith(actual)) shifts.push({ kind: "shallower", by: given.slice(0, given.length - actual.length) });
  }
  for (const width of WIDTHS)
    for (const kind of ["to-tabs", "to-spaces"] as const) shifts.push({ kind, unit: " ".repeat(width) });
  return shifts;
}

/** Null for a line that the shift cannot place. */
function moveLine(line: string, shift: Shift): string | null {
  if (line.trim() === "") return line;
  const indent = indentOf(line);
  const moved = move(indent, shift);
  return moved === null ? null : moved + line.slice(indent.length);
}

function move(indent: string, shift: Shift): string | null {
  switch (shift.kind) {
    case "deeper":
      return shift.by + indent;
    case "shallower":
      return indent.startsWith(shift.by) ? indent.slice(shift.by.length) : null;
    case "to-tabs":
      return indent.replaceAll(shift.unit, "\t");
    case "to-spaces":
      return indent.replaceAll("\t", shift.unit);
  }
}

/** A byte-order mark is white space to `trim`, and no indentation. */
export function indentOf(line: string): string {
  const text = line.startsWith(BYTE_ORDER_MARK) ? line.slice(1) : line;
  return text.slice(0, text.length - text.trimStart().length);
}
