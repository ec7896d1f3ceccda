/** Where an agent goes on that another process began: its messages and counts, read back from what was written. Pure. */
import type { JournalEntry, ToolCall } from "../journal.ts";
import type { Message } from "../model/model.ts";
import { readTranscript } from "./transcript.ts";

export type Resumption = {
  readonly kind: "fresh" | "resumed";
  readonly messages: readonly Message[];
  /** The last one that was asked and paid for; the next continues after it. */
  readonly turn: number;
  readonly lastText: string;
  /** The report tool's call that was the last thing done, null when there is work left. */
  readonly reportCall: ToolCall | null;
};

/** The turn after the last whole one: a call whose observation was not written gets one that says so. */
export function readResumption(written: readonly JournalEntry[], brief: string): Resumption {
  const replies = written.filter((entry) => entry.kind === "model-replied");
  if (replies.length === 0) return { kind: "fresh", messages: [{ kind: "user", text: brief }], ...NOTHING };
  const texts = replies.flatMap(({ parts }) => parts.flatMap((part) => (part.kind === "text" ? [part.text] : [])));
  return {
    kind: "resumed",
    messages: readTranscript(written),
    turn: replies.at(-1)?.turn ?? 0,
    lastText: texts.at(-1) ?? "",
    reportCall: findReport(written),
  };
}

const NOTHING = { turn: 0, lastText: "", reportCall: null } as const;

/** An author that was sent back to work has said more since its report. */
function findReport(written: readonly JournalEntry[]): ToolCall | null {
  const calls = written.flatMap((entry) =>
    entry.kind === "tool-called" && entry.call.tool === "report" ? [entry.call] : [],
  );
  const call = calls.at(-1);
  const observed = written.findIndex(
    (entry) => entry.kind === "tool-observed" && entry.observation.callId === call?.id && !entry.observation.isError,
  );
  if (!call || observed === -1) return null;
  const goesOn = written.slice(observed).some(({ kind }) => kind === "steered" || kind === "model-replied");
  return goesOn ? null : call;
}
