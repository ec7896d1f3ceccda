/** Makes room in the window: old output first, then a summary by the model itself, asked on the same prefix so that it is cached. */
import { readFileSync } from "node:fs";
import type { Journal, JournalEntry } from "../journal.ts";
import { ModelError, type Message, type ModelRequest } from "../model/model.ts";
import { imagesOf } from "../model/image-tokens.ts";
import type { Asked, Asker } from "./ask.ts";
import { clearOutput, dropImages, planRelief, replaceBySummary, type Relief } from "./context.ts";
import type { KeptSummary } from "./resumption.ts";
import { spokenText } from "./transcript.ts";
import { filesTouched, renderFiles } from "./files-touched.ts";

/** A summary that failed three times will fail again: the run hands in what it has. */
const FAILURES_MAX = 3;

const PROMPT = readFileSync(new URL("./prompts/compact.md", import.meta.url), "utf8").trim();

export type Room = {
  readonly asker: Asker;
  readonly journal: Journal;
  readonly request: Omit<ModelRequest, "outputTokensMax" | "messages">;
  /** What a lost worker had been told already. */
  readonly kept: KeptSummary | null;
};

export type Now = {
  readonly turn: number;
  readonly messages: Message[];
  /** What the next request would be, by the vendor's last count and our estimate of the rest. */
  readonly tokens: number;
  /** The vendor has just said that the request is too long, whatever our count says. */
  readonly isRefused: boolean;
};

/** The messages to go on with, null when no room could be made. Throws as `Asker.reply` does, except for a window that is too small. */
export async function makeRoom(room: Room, now: Now, signal: AbortSignal): Promise<Message[] | null> {
  const { turn, messages, tokens, isRefused } = now;
  const planned = planRelief(messages, isRefused ? Infinity : tokens, room.asker.model().facts);
  switch (planned.kind) {
    case "none":
      return messages;
    case "clear":
      await room.journal.append({ kind: "cleared", turn, before: planned.before, tokens });
      return clearOutput(messages, planned.before);
    case "compact":
      // With nothing but the brief there is nothing to sum up: the vendor may take it, or has said that it does not.
      if (planned.from <= 1) return isRefused ? null : messages;
      return await compact(room, now, planned, signal);
  }
}

/** The messages to ask again with after an image that a vendor cannot read, null for any other refusal. */
export async function mendRefusal(
  journal: Journal,
  { turn, messages }: Pick<Now, "turn" | "messages">,
  { fault, message }: ModelError,
): Promise<Message[] | null> {
  if (fault !== "invalid-request" || messages.every((one) => imagesOf(one).length === 0)) return null;
  await journal.append({ kind: "images-dropped", turn, reason: message });
  return dropImages(messages);
}

async function compact(
  room: Room,
  { turn, messages, tokens }: Now,
  { from }: Extract<Relief, { kind: "compact" }>,
  signal: AbortSignal,
): Promise<Message[] | null> {
  const { kept } = room;
  // It knows nothing of what was said after it.
  if (kept?.turn === turn)
    return await cut(room, { turn, messages, tokens }, { text: kept.text, from: Math.min(from, kept.messages) });
  let asked = messages;
  for (let failures = 0; failures < FAILURES_MAX; failures += 1) {
    const said = await summarise(room, { turn, messages: asked }, signal);
    if (said.kind === "summary") return await cut(room, { turn, messages, tokens }, { from, text: said.text });
    // Too long even for that: without old output, then without the older half of the rest.
    if (said.kind === "too-long") asked = failures === 0 ? clearOutput(asked, asked.length) : dropOlderHalf(asked);
  }
  return null;
}

async function cut(
  { journal }: Pick<Room, "journal">,
  { turn, messages, tokens }: Omit<Now, "isRefused">,
  { from, text }: { readonly from: number; readonly text: string },
): Promise<Message[]> {
  const summary = [text, renderFiles(filesTouched(messages.slice(0, from)))].filter(Boolean).join("\n\n");
  await journal.append({ kind: "compacted", turn, from, summary, tokens });
  return replaceBySummary(messages, from, summary);
}

type Said =
  { readonly kind: "summary"; readonly text: string } | { readonly kind: "too-long" } | { readonly kind: "nothing" };

async function summarise(
  { asker, request }: Room,
  { turn, messages }: Pick<Now, "turn" | "messages">,
  signal: AbortSignal,
): Promise<Said> {
  try {
    const question = { ...request, turn, messages: [...messages, { kind: "user", text: PROMPT } as const] };
    const { text, isCut } = await asker.ask(question, toSummary, signal);
    return text === "" || isCut ? { kind: "nothing" } : { kind: "summary", text };
  } catch (error) {
    if (error instanceof ModelError && error.fault === "window-exceeded") return { kind: "too-long" };
    throw error;
  }
}

type Summarised = Extract<JournalEntry, { kind: "summarised" }>;

/** A summary cut at the output limit lacks its end, which is where the next steps stand. */
function toSummary({ parts, stop, turn, model, usage, costUsd, wallMs }: Asked): Summarised {
  const cut = stop === "finished" ? {} : ({ isCut: true } as const);
  return { kind: "summarised", turn, model, text: spokenText(parts).trim(), usage, costUsd, wallMs, ...cut };
}

function dropOlderHalf(messages: readonly Message[]): Message[] {
  const middle = Math.ceil(messages.length / 2);
  const turn = messages.findIndex((message, index) => index >= middle && message.kind === "model");
  return [...messages.slice(0, 1), ...(turn === -1 ? [] : messages.slice(turn))];
}
