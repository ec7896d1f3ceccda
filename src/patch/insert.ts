/** Whole new lines after a numbered line. */
import { offsetOf, readLines } from "./lines.ts";
import { PatchError } from "./patch.ts";

/** Line 0 is the start of the file. The new lines end as the file's lines do; a file without newline at its end keeps that. */
export function insertLines(text: string, afterLine: number, inserted: string): string {
  const lines = readLines(text);
  const { count, ending } = lines;
  if (!Number.isInteger(afterLine) || afterLine < 0 || afterLine > count)
    throw new PatchError(`insert_line ${afterLine} is outside the file: use 0 (its start) to ${count} (its end).`);
  const added = inserted.replace(/\r?\n$/, "").replace(/\r?\n/g, ending);
  const offset = offsetOf(lines, afterLine);
  const isAfterOpenLine = afterLine === count && count > 0 && !lines.endsWithNewline;
  const piece = isAfterOpenLine ? ending + added : added + ending;
  return text.slice(0, offset) + piece + text.slice(offset);
}
