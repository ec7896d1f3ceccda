/** Where an agent goes on that another process began: its messages, and the turn that was not finished. Pure. */
import type { JournalEntry, ToolCall } from "../journal.ts";
import type { Message } from "../model/model.ts";
import { effectOf } from "../tools/tool.ts";
import type { Toolset } from "../tools/toolset.ts";
import { LOST, readTranscript, spokenText, type Replied } from "./transcript.ts";
import type { Observed } from "./turn.ts";

export type Resumption = {
  readonly kind: "fresh" | "resumed";
  /** Up to the open turn. */
  readonly messages: readonly Message[];
  /** The last turn that was asked and paid for. */
  readonly turn: number;
  readonly lastText: string;
  readonly open: OpenTurn | null;
};

/** A reply whose calls were not all observed. `lost` are those that may have had their effect. */
export type OpenTurn = {
  readonly reply: Replied;
  readonly observed: readonly Observed[];
  readonly lost: readonly ToolCall[];
  readonly rest: readonly ToolCall[];
};

export function readResumption(written: readonly JournalEntry[], brief: string, { tools }: Toolset): Resumption {
  const last = written.findLastIndex(({ kind }) => kind === "model-replied");
  const reply = written[last];
  if (reply?.kind !== "model-replied") {
    return { kind: "fresh", messages: [{ kind: "user", text: brief }], turn: 0, lastText: "", open: null };
  }
  const isReader = (call: ToolCall) => {
    const tool = tools.find(({ spec }) => spec.name === call.tool);
    return call.tool === "report" || (tool !== undefined && effectOf(tool, call.input) === "reads");
  };
  const open = readOpenTurn(reply, written.slice(last + 1), isReader);
  return {
    kind: "resumed",
    messages: readTranscript(open ? written.slice(0, last) : written),
    turn: reply.turn,
    lastText: readLastText(written),
    open,
  };
}

/** Null when there is nothing to run: no calls, all observed, or the conversation went on after them. */
function readOpenTurn(
  reply: Replied,
  after: readonly JournalEntry[],
  isReader: (call: ToolCall) => boolean,
): OpenTurn | null {
  if (after.some(({ kind }) => kind === "steered")) return null;
  const calls = reply.parts.flatMap((part) => (part.kind === "call" ? [part.call] : []));
  const observed = after.filter((entry) => entry.kind === "tool-observed");
  const called = new Set(after.flatMap((entry) => (entry.kind === "tool-called" ? [entry.call.id] : [])));
  const done = new Set(observed.map(({ observation }) => observation.callId));
  // A report is a value in our memory, so it is handed in again; a reader may look again; a writer that was not begun is begun.
  const waiting = calls.filter(({ id, tool }) => !done.has(id) || tool === "report");
  const isLost = (call: ToolCall) => called.has(call.id) && !done.has(call.id) && !isReader(call);
  if (waiting.length === 0) return null;
  return { reply, observed, lost: waiting.filter(isLost), rest: waiting.filter((call) => !isLost(call)) };
}

function readLastText(written: readonly JournalEntry[]): string {
  const texts = written.map((entry) => (entry.kind === "model-replied" ? spokenText(entry.parts) : ""));
  return texts.findLast((text) => text !== "") ?? "";
}

export function lostObservation(turn: number, call: ToolCall): Observed {
  const observation = { callId: call.id, text: LOST, isError: true };
  return { kind: "tool-observed", turn, tool: call.tool, observation, wallMs: 0, command: null };
}
