/** Where an agent goes on that another process began: its messages, and what it had not finished. Pure. */
import { sinceLast, type JournalEntry, type SeenText, type ToolCall } from "../journal.ts";
import type { Message } from "../model/model.ts";
import type { ModelSwitch } from "../outcome.ts";
import { effectOf } from "../tools/tool.ts";
import type { Toolset } from "../tools/toolset.ts";
import { allTokens, UNCOUNTED, type Counted } from "./conversation.ts";
import { isNudge } from "./next-step.ts";
import { LOST, readTranscript, spokenText, type Replied } from "./transcript.ts";
import type { Observed } from "./turn.ts";

/** What earlier processes left of a run. */
export type Past = {
  /** Their entries, [] for a fresh start. */
  readonly written: readonly JournalEntry[];
  /** They worked so long. */
  readonly workedMs: number;
  /** The workspace is what it was after the last call that was observed. Otherwise a lost call may have had its effect. */
  readonly isTreeRestored: boolean;
  /** What the model has to know about it, null for nothing. */
  readonly note: string | null;
};

export const NO_PAST: Past = { written: [], workedMs: 0, isTreeRestored: false, note: null };

export type Resumption = {
  readonly kind: "fresh" | "resumed";
  /** Up to the open turn. */
  readonly messages: readonly Message[];
  readonly counted: Counted;
  /** The last turn that was asked and paid for. */
  readonly turn: number;
  readonly lastText: string;
  readonly open: OpenTurn | null;
  /** The last reply, when all its calls were observed and nothing has been said after it. */
  readonly answered: Replied | null;
  /** The last report that was taken, and whether it ended the work. */
  readonly report: ToolCall | null;
  readonly hasReported: boolean;
  readonly seen: readonly SeenText[];
  readonly nudges: number;
  /** Paid for, and its worker was lost before it had made room with it. */
  readonly summary: KeptSummary | null;
  readonly steers: readonly string[];
  readonly switches: readonly ModelSwitch[];
};

/** Good for room before this turn is asked, and for this many messages at most. */
export type KeptSummary = { readonly turn: number; readonly text: string; readonly messages: number };

/** A reply whose calls were not all observed. `lost` are not made again: the model is told `why`. */
export type OpenTurn = {
  readonly reply: Replied;
  readonly observed: readonly Observed[];
  readonly lost: readonly Lost[];
  readonly rest: readonly ToolCall[];
};

export type Lost = { readonly call: ToolCall; readonly why: string };

const FRESH = {
  ...({ kind: "fresh", turn: 0, lastText: "", open: null, answered: null, report: null } as const),
  ...{ counted: UNCOUNTED, hasReported: false, seen: [], nudges: 0, summary: null, steers: [], switches: [] },
};

export function readResumption(past: Past, brief: string, toolset: Toolset): Resumption {
  // Whoever started over was briefed anew; what came before is of another conversation.
  const written = sinceLast(past.written, "briefed");
  const last = written.findLastIndex(({ kind }) => kind === "model-replied");
  const reply = written[last];
  if (reply?.kind !== "model-replied") return { ...FRESH, messages: [{ kind: "user", text: brief }] };
  const after = written.slice(last + 1);
  const isOver = after.some(({ kind }) => kind === "steered");
  const open = isOver ? null : readOpenTurn(reply, after, whyLost(past, toolset));
  const reports = readReports(written);
  const steers = written.flatMap((entry) => (entry.kind === "steered" && entry.by === undefined ? [entry.text] : []));
  const messages = readTranscript(open ? written.slice(0, last) : written);
  const isCut = after.some(({ kind }) => CUTS.has(kind));
  const answeredAt = open ? messages.length : messages.findLastIndex(({ kind }) => kind === "model");
  return {
    kind: "resumed",
    messages,
    counted: isCut ? UNCOUNTED : { tokens: allTokens(reply.usage), messages: answeredAt + 1 },
    turn: reply.turn,
    lastText: readLastText(written),
    open,
    answered: isOver || open ? null : reply,
    report: reports.at(-1) ?? null,
    hasReported: !isOver && readReports([reply, ...after]).length > 0,
    seen: written.flatMap((entry) => (entry.kind === "tool-observed" ? (entry.seen ?? []) : [])),
    nudges: steers.slice(steers.findLastIndex((text) => !isNudge(text)) + 1).length,
    summary: readSummary(written),
    steers,
    switches: written.flatMap((entry) => (entry.kind === "model-switched" ? [toSwitch(entry)] : [])),
  };
}

/** What makes the vendor's last count worthless. */
const CUTS: ReadonlySet<JournalEntry["kind"]> = new Set(["cleared", "compacted", "images-dropped"]);

function readSummary(written: readonly JournalEntry[]): KeptSummary | null {
  const at = written.findLastIndex(
    ({ kind }) => kind === "summarised" || kind === "compacted" || kind === "model-replied",
  );
  const said = written[at];
  if (said?.kind !== "summarised" || said.isCut || said.text === "") return null;
  return { turn: said.turn, text: said.text, messages: readTranscript(written.slice(0, at)).length };
}

function toSwitch({ turn, from, to, reason }: ModelSwitch): ModelSwitch {
  return { turn, from, to, reason };
}

/** Null when there is nothing to run: no calls, or all observed. */
function readOpenTurn(
  reply: Replied,
  after: readonly JournalEntry[],
  whyIsLost: (call: ToolCall, wasBegun: boolean) => string | null,
): OpenTurn | null {
  const calls = reply.parts.flatMap((part) => (part.kind === "call" ? [part.call] : []));
  const observed = after.filter((entry) => entry.kind === "tool-observed");
  const called = new Set(after.flatMap((entry) => (entry.kind === "tool-called" ? [entry.call.id] : [])));
  const done = new Set(observed.map(({ observation }) => observation.callId));
  const lost: Lost[] = [];
  const rest: ToolCall[] = [];
  for (const call of calls.filter(({ id }) => !done.has(id))) {
    const why = whyIsLost(call, called.has(call.id));
    if (why === null) rest.push(call);
    else lost.push({ call, why });
  }
  return lost.length + rest.length === 0 ? null : { reply, observed, lost, rest };
}

/** Null for a call that can be made: a reader may look again, a writer that was not begun is begun, and so is any whose effect is undone. */
function whyLost({ isTreeRestored }: Past, { tools }: Toolset) {
  return (call: ToolCall, wasBegun: boolean): string | null => {
    if (JSON.stringify(call.input ?? null).includes(REDACTED)) return REDACTED_CALL;
    const tool = tools.find(({ spec }) => spec.name === call.tool);
    const isReader = call.tool === "report" || (tool !== undefined && effectOf(tool, call.input) === "reads");
    return wasBegun && !isReader && !isTreeRestored ? LOST : null;
  };
}

/** What the journal has instead of a secret (policy/redact.ts); made so, the call would write that into a file. */
const REDACTED = "[redacted]";
const REDACTED_CALL =
  "The worker stopped before this call ended, and the call was not kept whole because it held what looks like a secret. " +
  "Look before you make it again.";

/** The reports that were taken, in order. */
function readReports(entries: readonly JournalEntry[]): readonly ToolCall[] {
  const taken = new Set(
    entries.flatMap((entry) =>
      entry.kind === "tool-observed" && entry.tool === "report" && !entry.observation.isError
        ? [`${entry.turn} ${entry.observation.callId}`] // Some servers count their calls anew in each reply.
        : [],
    ),
  );
  const replies = entries.flatMap((entry) => (entry.kind === "model-replied" ? [entry] : []));
  return replies.flatMap(({ turn, parts }) =>
    parts.flatMap((part) => (part.kind === "call" && taken.has(`${turn} ${part.call.id}`) ? [part.call] : [])),
  );
}

function readLastText(written: readonly JournalEntry[]): string {
  const texts = written.map((entry) => (entry.kind === "model-replied" ? spokenText(entry.parts) : ""));
  return texts.findLast((text) => text !== "") ?? "";
}

export function lostObservation(turn: number, { call, why }: Lost): Observed {
  const observation = { callId: call.id, text: why, isError: true };
  return { kind: "tool-observed", turn, tool: call.tool, observation, wallMs: 0, command: null };
}
