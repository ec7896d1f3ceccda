import { parseDuration } from "./duration.ts";

export type Entry = { readonly date: string; readonly project: string; readonly minutes: number };

/** One entry a line: date, project, duration. Blank lines and lines that start with # are skipped. */
export function parseTimesheet(text: string): Entry[] {
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("#"));
  return lines.map((line) => {
    const match = /^(\d{4}-\d{2}-\d{2})\s+(\S+)\s+(.+)$/.exec(line);
    if (!match) throw new RangeError(`not an entry: "${line}"`);
    const [, date = "", project = "", duration = ""] = match;
    return { date, project, minutes: parseDuration(duration) };
  });
}
