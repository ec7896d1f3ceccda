import { formatDuration } from "./duration.ts";
import type { Entry } from "./timesheet.ts";

/** Minutes by project, projects in alphabetical order. */
export function sumByProject(entries: readonly Entry[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { project, minutes } of entries) sums.set(project, (sums.get(project) ?? 0) + minutes);
  return new Map([...sums].toSorted(([a], [b]) => a.localeCompare(b)));
}

export function renderReport(entries: readonly Entry[]): string {
  const sums = sumByProject(entries);
  const total = [...sums.values()].reduce((sum, minutes) => sum + minutes, 0);
  const width = Math.max(5, ...[...sums.keys()].map((project) => project.length));
  return [...sums, ["total", total] as const]
    .map(([project, minutes]) => `${project.padEnd(width)} ${formatDuration(minutes).padStart(9)}`)
    .join("\n");
}
