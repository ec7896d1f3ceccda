/** Indentation that a model got uniformly wrong: found from pairs of lines, then put right in the lines it wants to write. */

/** The same line as the model wrote it and as the file has it. */
export type LinePair = { readonly given: string; readonly actual: string };

type Shift =
  | { readonly kind: "none" }
  | { readonly kind: "deeper"; readonly by: string }
  | { readonly kind: "shallower"; readonly by: string }
  | { readonly kind: "to-tabs"; readonly width: number }
  | { readonly kind: "to-spaces"; readonly width: number };

/** Widths of an indentation level that occur in the wild. */
const WIDTHS: readonly number[] = [2, 4, 8, 3];

/** Re-indents a new line as the pairs were, or null for a line it cannot place. Null when no one rule explains all pairs. */
export function findShift(pairs: readonly LinePair[]): ((line: string) => string | null) | null {
  const told = pairs
    .filter((pair) => pair.given.trim() !== "")
    .map(({ given, actual }) => ({ given: indentOf(given), actual: indentOf(actual) }));
  const shift = candidates(told).find((one) => told.every((pair) => move(pair.given, one) === pair.actual));
  if (!shift) return null;
  // Old lines in both styles: a new line in the one that the file does not have there may be meant so.
  const isMixed = told.some(({ given, actual }) => given === actual && given !== "");
  return (line) => {
    if (line.trim() === "") return line;
    const indent = move(indentOf(line), shift);
    return indent === null || (isMixed && indent !== indentOf(line))
      ? null
      : indent + line.slice(indentOf(line).length);
  };
}

function candidates(pairs: readonly LinePair[]): readonly Shift[] {
  const [first] = pairs;
  const shifts: Shift[] = [{ kind: "none" }];
  if (!first) return shifts;
  const { given, actual } = first;
  if (actual.endsWith(given)) shifts.push({ kind: "deeper", by: actual.slice(0, actual.length - given.length) });
  if (given.endsWith(actual)) shifts.push({ kind: "shallower", by: given.slice(0, given.length - actual.length) });
  for (const width of WIDTHS) shifts.push({ kind: "to-tabs", width }, { kind: "to-spaces", width });
  return shifts;
}

function move(indent: string, shift: Shift): string | null {
  switch (shift.kind) {
    case "none":
      return indent;
    case "deeper":
      return shift.by + indent;
    case "shallower":
      return indent.startsWith(shift.by) ? indent.slice(shift.by.length) : null;
    case "to-tabs":
      return indent.replaceAll(" ".repeat(shift.width), "\t");
    case "to-spaces":
      return indent.replaceAll("\t", " ".repeat(shift.width));
  }
}

function indentOf(line: string): string {
  return line.slice(0, line.length - line.trimStart().length);
}
