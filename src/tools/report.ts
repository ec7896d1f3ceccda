/** The report tool: how an agent ends its run, as a value. It publishes nothing. */
import { z } from "zod";
import type { Finding } from "../outcome.ts";
import { defineTool } from "./define-tool.ts";
import type { Tool, ToolResult } from "./tool.ts";

/** The work is harmful or impossible, and why. */
export type Refusal = { readonly kind: "refusal"; readonly reason: string };

export type ChangeReport =
  | {
      readonly kind: "change";
      readonly title: string;
      readonly summary: string;
      /** "" when nothing is left. */
      readonly notDone: string;
    }
  | Refusal;

export type ReviewReport =
  { readonly kind: "review"; readonly summary: string; readonly findings: readonly Finding[] } | Refusal;

export type AnswerReport = { readonly kind: "answer"; readonly answer: string } | Refusal;

export type Report = ChangeReport | ReviewReport | AnswerReport;

/** GitHub cuts titles at 256 characters; texts are cut again when they are published. */
const TITLE_CHARS_MAX = 200;
const TEXT_CHARS_MAX = 30_000;
/** More remarks than a person reads. */
const FINDINGS_MAX = 100;

const text = z.string().trim().min(1).max(TEXT_CHARS_MAX);
const title = text.max(TITLE_CHARS_MAX);
const spare = z.string().max(TEXT_CHARS_MAX).optional();

const Change = z
  .object({ title: title.optional(), summary: text.optional(), not_done: spare, refusal: spare })
  .superRefine(needs("title", "summary"));

const RawFinding = z
  .object({
    path: text,
    start_line: z.int().min(1),
    end_line: z.int().min(1),
    severity: z.enum(["P0", "P1", "P2", "P3"]),
    title,
    body: text,
    suggestion: z.string().max(TEXT_CHARS_MAX).nullish(),
  })
  .refine((one) => one.start_line <= one.end_line, { path: ["end_line"], message: "must not be before start_line" });

const Review = z
  .object({ summary: text.optional(), findings: z.array(RawFinding).max(FINDINGS_MAX).optional(), refusal: spare })
  .superRefine(needs("summary", "findings"));

const Answer = z.object({ answer: text.optional(), refusal: spare }).superRefine(needs("answer"));

/** A report without a refusal has these fields. */
function needs<F extends string>(...fields: readonly F[]) {
  return (input: Refusable & { readonly [field in F]?: unknown }, { addIssue }: z.RefinementCtx): void => {
    if (isRefusal(input)) return;
    for (const field of fields)
      if (input[field] === undefined)
        addIssue({ code: "custom", path: [field], message: "is missing (or give refusal)" });
  };
}

type Refusable = { readonly refusal?: string | undefined };

function isRefusal(input: Refusable): boolean {
  return (input.refusal ?? "").trim() !== "";
}

type OnReport<T> = (report: T) => Promise<void> | void;

/** Each call hands in a report; a later one replaces the one before. */
export function changeReportTool(onReport: OnReport<ChangeReport>): Tool {
  return defineTool({
    name: "report",
    describedIn: new URL("report-change.md", import.meta.url),
    effect: "writes",
    input: Change,
    run: async (input) => {
      const { title: raw = "", summary = "", not_done: notDone = "", refusal: reason = "" } = input;
      if (isRefusal(input)) return handIn(onReport, { kind: "refusal", reason: reason.trim() });
      // A title is one line wherever it goes.
      return handIn(onReport, { kind: "change", title: raw.replace(/\s+/g, " "), summary, notDone: notDone.trim() });
    },
  });
}

export function reviewReportTool(onReport: OnReport<ReviewReport>): Tool {
  return defineTool({
    name: "report",
    describedIn: new URL("report-review.md", import.meta.url),
    effect: "writes",
    input: Review,
    run: async (input) => {
      const { summary = "", findings = [], refusal: reason = "" } = input;
      if (isRefusal(input)) return handIn(onReport, { kind: "refusal", reason: reason.trim() });
      return handIn(onReport, { kind: "review", summary, findings: findings.map(toFinding) });
    },
  });
}

export function answerReportTool(onReport: OnReport<AnswerReport>): Tool {
  return defineTool({
    name: "report",
    describedIn: new URL("report-answer.md", import.meta.url),
    effect: "writes",
    input: Answer,
    run: async (input) => {
      const { answer = "", refusal: reason = "" } = input;
      if (isRefusal(input)) return handIn(onReport, { kind: "refusal", reason: reason.trim() });
      return handIn(onReport, { kind: "answer", answer });
    },
  });
}

async function handIn<T>(onReport: OnReport<T>, report: T): Promise<ToolResult> {
  await onReport(report);
  return { text: "Report handed in. The run ends here." };
}

function toFinding(raw: z.infer<typeof RawFinding>): Finding {
  const { path, start_line: startLine, end_line: endLine, severity, title, body, suggestion } = raw;
  return { path, startLine, endLine, severity, title, body, suggestion: suggestion ?? null };
}
