/**
 * What happened in a run, in order. Everything anyone sees (progress comment, evidence, `show`, metrics) is a reader of it.
 * It never holds a credential: what enters was either said by the model or came out of the sandbox, and is redacted.
 */
import type { ModelSwitch, Outcome, SecondOpinion } from "./outcome.ts";
import type { Goal } from "./task.ts";

/** `input` is a parsed JSON object, or the raw text of a free-form tool (apply_patch on OpenAI). */
export type ToolCall = { readonly id: string; readonly tool: string; readonly input: unknown };

/**
 * A still image that a tool shows, checked and bounded by tools/image.ts. Its bytes stand here, in the entry of the observation, and
 * nowhere else; width and height are pixels.
 */
export type Image = {
  readonly mediaType: "image/png" | "image/jpeg" | "image/webp" | "image/gif";
  readonly width: number;
  readonly height: number;
  readonly base64: string;
};

/** What the model sees of a finished call. `text` was cut once, when recorded, and is never cut again. */
export type Observation = {
  readonly callId: string;
  readonly text: string;
  readonly isError: boolean;
  /** Left out for none. */
  readonly images?: readonly Image[];
};

export type ReplyPart =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "thinking"; readonly text: string }
  | { readonly kind: "call"; readonly call: ToolCall };

/** State only one vendor understands (signatures, encrypted reasoning). Only the adapter of `provider` may read `value`. */
export type OpaqueState = { readonly provider: string; readonly model: string; readonly value: unknown };

/** Tokens, as the vendor counted them. `input` is what was neither read from nor written to a cache. */
export type Usage = {
  readonly input: number;
  readonly cachedRead: number;
  readonly cacheWrite: number;
  readonly output: number;
  readonly reasoning: number;
};

export type StopReason = "finished" | "tool-calls" | "output-limit" | "refused" | "paused" | "window-exceeded";

export type PlanStep = { readonly step: string; readonly status: "pending" | "in_progress" | "completed" };

/** A command the agent ran, as evidence. `exitCode` is null when it was killed (time, memory or output limit). */
export type CommandRun = {
  readonly command: string;
  readonly exitCode: number | null;
  readonly wallMs: number;
  readonly outputTail: string;
};

/** Looks for something; writes tests; looks for what is wrong. */
export type SubAgentRole = "explorer" | "test-writer" | "reviewer";

/** USD that ended runs of the same kind in the same repository cost, all their attempts together. */
export type CostEstimate = { readonly runs: number; readonly medianUsd: number; readonly highUsd: number };

/** As in a unified diff: 1-based first lines and counts; each of `lines` begins with " ", "-" or "+" and has no ending. */
export type EditHunk = {
  readonly oldStart: number;
  readonly oldLines: number;
  readonly newStart: number;
  readonly newLines: number;
  readonly lines: readonly string[];
};

/** A file that a tool changed. A file with another ending only has no hunks. */
export type FileEditReport = {
  readonly path: string;
  /** Where the file was before; left out when it stayed. */
  readonly movedFrom?: string;
  readonly hunks: readonly EditHunk[];
  /** Hunks or ends of lines were left out. */
  readonly isCut: boolean;
};

/** A file's text that the model was shown or wrote, by its hash. `path` is relative to the workspace. */
export type SeenText = { readonly path: string; readonly hash: string };

/** One wish of sandboxed code to reach a host, and its answer. `host` is harmless text; `why` is "" when allowed. */
export type EgressDecision = {
  readonly verdict: "allowed" | "denied" | "failed";
  readonly host: string;
  readonly port: number;
  readonly why: string;
};

/** Where a run without a forge works (absolute), and whether another model looks at its change: asked for once, kept when it is resumed. */
export type LocalStart = { readonly root: string; readonly wantsOpinion: boolean };

export type JournalEntry =
  | {
      readonly kind: "started";
      readonly attempt: number;
      readonly goal: Goal | "local";
      readonly title: string;
      /** Of a run without a forge. */
      readonly local?: LocalStart;
    }
  | {
      readonly kind: "workspace-ready";
      readonly baseSha: string;
      readonly headSha: string;
      readonly guidance: readonly string[];
    }
  /** Each different decision of a phase once. */
  | ({ readonly kind: "egress"; readonly phase: "set-up" | "agent" } & EgressDecision)
  /** Packages are installed, or taken from what an earlier run kept; or that failed, and the run goes on without. */
  | { readonly kind: "set-up-finished"; readonly isCached: boolean; readonly command: CommandRun }
  | { readonly kind: "briefed"; readonly model: string; readonly promptHash: string; readonly brief: string }
  | {
      readonly kind: "model-replied";
      readonly turn: number;
      readonly model: string;
      readonly parts: readonly ReplyPart[];
      readonly stop: StopReason;
      readonly usage: Usage;
      readonly costUsd: number;
      readonly wallMs: number;
      readonly opaque: OpaqueState | null;
      /** Why the vendor's prompt cache missed, in its words; left out when it did not or the vendor does not say. */
      readonly cacheMiss?: string;
      /** The server did not count: bytes over four did. */
      readonly isUsageEstimated?: true;
    }
  | { readonly kind: "tool-called"; readonly turn: number; readonly call: ToolCall }
  | {
      readonly kind: "tool-observed";
      readonly turn: number;
      readonly tool: string;
      readonly observation: Observation;
      readonly wallMs: number;
      readonly command: CommandRun | null;
      /** What the model knows since this call, so that whoever goes on need not read it again; left out for nothing. */
      readonly seen?: readonly SeenText[];
      /** The files that the call changed by itself, not by a command; left out for none. Bounded by tools/bound-edits.ts. */
      readonly edits?: readonly FileEditReport[];
    }
  /** The work tree after the call observed just before, kept with it: both are durable or neither. Bytes are those of the pack. */
  | { readonly kind: "checkpointed"; readonly tree: string; readonly bytes: number; readonly wallMs: number }
  /** The tree could not be kept: a run lost before the next checkpoint starts over. */
  | { readonly kind: "checkpoint-missed"; readonly why: string }
  /** This attempt goes on after `turn`, which an earlier one had paid for. `tree` is null when nothing had been changed. */
  | { readonly kind: "resumed"; readonly attempt: number; readonly turn: number; readonly tree: string | null }
  /** An earlier attempt had begun, and what it did is lost. */
  | { readonly kind: "restarted"; readonly attempt: number; readonly why: string }
  | { readonly kind: "plan-updated"; readonly steps: readonly PlanStep[] }
  /** Said to the model: by the harness (a nudge to report, a limit coming near), or `by` a person while the run was live. */
  | { readonly kind: "steered"; readonly text: string; readonly by?: string }
  /** Old tool output before this message of the transcript was replaced by a line. */
  | { readonly kind: "cleared"; readonly turn: number; readonly before: number; readonly tokens: number }
  /** The vendor refused a request that showed images: they were all replaced by a line. */
  | { readonly kind: "images-dropped"; readonly turn: number; readonly reason: string }
  /** The model's answer to the request for a summary. It is no turn of the transcript, and costs what it costs. */
  | {
      readonly kind: "summarised";
      readonly turn: number;
      readonly model: string;
      readonly text: string;
      readonly usage: Usage;
      readonly costUsd: number;
      readonly wallMs: number;
      /** It lacks its end, and is asked for once more. */
      readonly isCut?: true;
    }
  /** Everything before this message of the transcript, the brief and people's words excepted, was replaced by the summary. */
  | {
      readonly kind: "compacted";
      readonly turn: number;
      readonly from: number;
      readonly summary: string;
      /** What the next request would have been. */
      readonly tokens: number;
    }
  | ({ readonly kind: "model-switched" } & ModelSwitch)
  /** A sub-agent's own entry. Its model, tools and money are told in it; the transcript above it sees only its report. */
  | { readonly kind: "sub-agent"; readonly id: string; readonly role: SubAgentRole; readonly entry: JournalEntry }
  /** What the reviewer's model thinks of the author's work. */
  | ({ readonly kind: "second-opinion" } & SecondOpinion)
  | ({ readonly kind: "estimated" } & CostEstimate)
  | { readonly kind: "verified"; readonly command: CommandRun }
  | { readonly kind: "model-retried"; readonly model: string; readonly reason: string; readonly waitMs: number }
  /** `note` is Markdown of ours: how it came to be, when that was not the plain way. */
  | { readonly kind: "published"; readonly role: string; readonly url: string; readonly note?: string }
  | { readonly kind: "finished"; readonly outcome: Outcome };

/** An entry with its place in the stream: `seq` starts at 1 and has no gaps, `at` is epoch milliseconds. */
export type RecordedEntry = { readonly seq: number; readonly at: number; readonly entry: JournalEntry };

/** From the last of this kind on, itself included; all of them when there is none. */
export function sinceLast(entries: readonly JournalEntry[], kind: JournalEntry["kind"]): readonly JournalEntry[] {
  const at = entries.findLastIndex((entry) => entry.kind === kind);
  return entries.slice(Math.max(0, at));
}

/** One run's stream. Two stores: PostgreSQL for tasks, a JSONL file for local runs. */
export interface Journal {
  /** Resolves once the entry is durable; what the entry says may be acted on only then. */
  append(entry: JournalEntry): Promise<void>;
  read(): Promise<readonly RecordedEntry[]>;
}

/** A work tree for another machine. A base stands alone; any other needs the packs since the last base. */
export type TreePack = { readonly tree: string; readonly isBase: boolean; readonly pack: Buffer };

/** A task's stream, which takes packs of the work tree along. */
export type TreeJournal = Journal & {
  /** All of it is durable, or nothing. A base drops the packs before it. */
  readonly appendTogether: (entries: readonly JournalEntry[], pack: TreePack | null) => Promise<void>;
};
