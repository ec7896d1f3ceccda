/** How a run ended. The agent proposes it, the host completes it with what it saw for itself, publish/ turns it into words. */
import type { CommandRun } from "./journal.ts";

export type FileChange = {
  readonly path: string;
  readonly change: "added" | "modified" | "deleted" | "renamed";
  readonly linesAdded: number;
  readonly linesDeleted: number;
};

export type Severity = "P0" | "P1" | "P2" | "P3";

/** One remark about a place in the head of a pull request. Lines are 1-based and inclusive. */
export type Finding = {
  readonly path: string;
  readonly startLine: number;
  readonly endLine: number;
  readonly severity: Severity;
  readonly title: string;
  readonly body: string;
  /** Replacement for exactly the lines startLine..endLine, or null. */
  readonly suggestion: string | null;
};

/** One of the repository's own checks, run by the host in the sandbox before the agent started and after it ended. */
export type Check = { readonly command: string; readonly before: CommandRun | null; readonly after: CommandRun };

/** What the run cost and how long it took; `usd` is what the ledger was charged. */
export type Spend = {
  readonly usd: number;
  readonly turns: number;
  readonly wallMs: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** The one that did the work, or the last of those that did. */
  readonly model: string;
  /** When and why the work passed from one model to the next; [] as a rule. */
  readonly switches: readonly ModelSwitch[];
};

/** `reason` is a fault of model/model.ts. */
export type ModelSwitch = {
  readonly turn: number;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
};

/** Of a round: the author mends what blocks, and the reviewer looks again. */
export type SecondOpinion = {
  readonly round: number;
  readonly model: string;
  readonly verdict: "approves" | "blocks" | "none";
  readonly summary: string;
  readonly findings: readonly Finding[];
};

/** Why the agent stopped: it said so, a limit did, or a person. */
export type Ending =
  | { readonly kind: "reported" }
  | { readonly kind: "limit"; readonly limit: string }
  | { readonly kind: "stopped"; readonly by: string };

export type Outcome =
  | {
      readonly kind: "changed";
      readonly title: string;
      readonly summary: string;
      /** What was asked and not done, "" when nothing is left. */
      readonly notDone: string;
      /** "" for a local run, which leaves its edits uncommitted. */
      readonly commit: string;
      readonly files: readonly FileChange[];
      readonly commands: readonly CommandRun[];
      readonly checks: readonly Check[];
      /** The last round's; null when none was asked for. */
      readonly opinion: SecondOpinion | null;
      readonly ending: Ending;
      readonly spend: Spend;
    }
  | {
      readonly kind: "reviewed";
      readonly headSha: string;
      readonly summary: string;
      /** Each at lines of the diff, where the forge takes a comment. */
      readonly inline: readonly Finding[];
      /** Findings without a place in the diff, told in the summary. */
      readonly elsewhere: readonly Finding[];
      /** How many less severe ones were left out. */
      readonly leftOut: number;
      readonly ending: Ending;
      readonly spend: Spend;
    }
  | { readonly kind: "nothing-changed"; readonly summary: string; readonly ending: Ending; readonly spend: Spend }
  /** A review that nobody asked for, of a commit that is no longer the head: `headSha` is. */
  | { readonly kind: "superseded"; readonly headSha: string; readonly spend: Spend }
  | { readonly kind: "refused"; readonly reason: string; readonly spend: Spend }
  /** `message` is Markdown for the asker; `spend` is null when the run failed before its first model call. */
  | { readonly kind: "failed"; readonly message: string; readonly spend: Spend | null };
