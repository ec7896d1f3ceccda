/** Numbered lines for the model. What was left out is said, with the call that shows it. */
import { numberLines, readLines } from "../patch/lines.ts";
import { ToolRefusal } from "./tool.ts";

/** About a thousand lines of code; more is asked for by range. */
const VIEW_BYTES_MAX = 32 * 1024;
const VIEW_LINES_MAX = 1500;
/** Lines shown around a place, and around one that a formatter may have made several lines of. */
const AROUND = 4;
const AROUND_CHANGED = 12;
const REGION_LINES_MAX = 60;

/** Lines first..last, 1-based; last -1 is the end of the file. The whole file without a range. */
export function viewText(text: string, range: readonly [number, number] | null): string {
  const lines = readLines(text);
  const { count } = lines;
  if (count === 0) return "The file is empty.";
  const first = Math.max(1, range?.[0] ?? 1);
  const asked = range === null || range[1] === -1 ? count : range[1];
  if (first > count) throw new ToolRefusal(`view_range starts at line ${first}, but the file has ${count} lines.`);
  if (asked < first) throw new ToolRefusal(`view_range ends (${asked}) before it starts (${first}).`);
  const last = Math.min(asked, count, first + VIEW_LINES_MAX - 1);
  const shown = cutToSize(numberLines(lines, first - 1, last));
  const end = first + shown.split("\n").length - 1;
  if (end < Math.min(asked, count))
    return `${shown}\n[… lines ${end + 1} to ${Math.min(asked, count)} of ${count} not shown; use view_range …]`;
  return end < count || first > 1 ? `${shown}\n[lines ${first} to ${end} of ${count}]` : shown;
}

/** A place with some lines around it. */
export function viewRegion(text: string, region: Region): string {
  return viewAround(text, region, AROUND);
}

/** A place that is not what the model takes it for. */
export function viewChangedRegion(text: string, region: Region): string {
  return viewAround(text, region, AROUND_CHANGED);
}

export type Region = { readonly first: number; readonly count: number };

function viewAround(text: string, { first, count }: Region, around: number): string {
  const lines = readLines(text);
  if (lines.count === 0) return "(empty file)";
  const from = Math.max(0, first - 1 - around);
  const to = Math.min(lines.count, first - 1 + count + around);
  const end = Math.min(to, from + REGION_LINES_MAX);
  const more = to > end ? `\n[… ${to - end} more lines …]` : "";
  return cutToSize(numberLines(lines, from, end)) + more;
}

/** By whole lines; at least one. */
function cutToSize(shown: string): string {
  const bytes = Buffer.from(shown);
  if (bytes.length <= VIEW_BYTES_MAX) return shown;
  const end = bytes.lastIndexOf(10, VIEW_BYTES_MAX);
  return bytes.toString("utf8", 0, end === -1 ? bytes.length : end);
}
