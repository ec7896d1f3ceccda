/** Which findings are posted, and where. Pure: the same report and diff give the same review. */
import type { Finding, Outcome, Severity } from "../outcome.ts";
import { anchorFinding, type DiffLines } from "./anchor.ts";

/** A reader stops after about this many; the rest are counted in the summary. */
export const FINDINGS_MAX = 10;

export type Selection = Pick<Extract<Outcome, { kind: "reviewed" }>, "inline" | "elsewhere" | "leftOut">;

const ORDER: readonly Severity[] = ["P0", "P1", "P2", "P3"];

export function selectFindings(findings: readonly Finding[], lines: DiffLines): Selection {
  const sorted = findings.toSorted((a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity));
  const posted = sorted.slice(0, FINDINGS_MAX);
  const inline: Finding[] = [];
  const elsewhere: Finding[] = [];
  for (const finding of posted) {
    const anchor = anchorFinding(finding, lines);
    if (anchor.kind === "summary") elsewhere.push(finding);
    // A suggestion replaces exactly the lines it was written for; on other lines it would destroy code.
    else {
      const suggestion = anchor.isExact ? finding.suggestion : null;
      inline.push({ ...finding, startLine: anchor.startLine, endLine: anchor.line, suggestion });
    }
  }
  return { inline, elsewhere, leftOut: sorted.length - posted.length };
}
