/** A toolset together with what was handed in through its report tool. */
import { unreachable } from "../failure.ts";
import type { Model } from "../model/model.ts";
import type { Finding } from "../outcome.ts";
import type { Report } from "../tools/report.ts";
import { openToolset, type Toolset, type ToolsetOpening } from "../tools/toolset.ts";

export type Reporting = {
  readonly toolset: Toolset;
  /** How many reports were handed in; the last one counts. */
  readonly reports: () => number;
  readonly report: () => Report | null;
};

export function openReportingToolset(opening: Omit<ToolsetOpening, "onReport">): Reporting {
  let report: Report | null = null;
  let reports = 0;
  const toolset = openToolset({
    ...opening,
    onReport: (value) => {
      report = value;
      reports += 1;
    },
  });
  return { toolset, reports: () => reports, report: () => report };
}

/** What of a toolset depends on the model that is asked first. */
export function traits({ facts }: Model): Pick<ToolsetOpening, "editing" | "sees"> {
  return { editing: facts.editing, sees: facts.quirks.images !== null };
}

/** As another agent reads it; "" for none. */
export function renderReport(report: Report | null): string {
  switch (report?.kind) {
    case undefined:
      return "";
    case "change":
      return [report.title, report.summary, report.notDone && `Not done: ${report.notDone}`]
        .filter(Boolean)
        .join("\n\n");
    case "answer":
      return report.answer;
    case "review":
      return [report.summary, ...report.findings.map(renderForAgent)].join("\n\n");
    case "refusal":
      return `Not done: ${report.reason}`;
    default:
      return unreachable(report);
  }
}

export function renderForAgent({ severity, path, startLine, endLine, title, body, suggestion }: Finding): string {
  const lines = startLine === endLine ? `${startLine}` : `${startLine}-${endLine}`;
  const instead = suggestion === null ? "" : `\nInstead:\n${suggestion}`;
  return `- ${severity} ${path}:${lines} ${title}\n${body}${instead}`;
}
