/** Events of the Messages API -> ModelReply. Blocks are put together here; an unfinished call never leaves this file. */
import { z } from "zod";
import type { ReplyPart, StopReason, Usage } from "../journal.ts";
import { anthropicFault } from "./anthropic-fault.ts";
import { ModelError, type ModelReply } from "./model.ts";
import { isTagged, readEvent, readObject } from "./wire.ts";

type SentEvent = { readonly event: string | null; readonly data: string };
type Names = { readonly name: string; readonly toolNames: ReadonlyMap<string, string> };

/** A block as the vendor wrote it. Kept by reference: known and unknown fields go back in the order they came. */
type WireBlock = { readonly type: string; readonly [field: string]: unknown };
type Draft = { readonly start: WireBlock; text: string; signature: string; json: string };
/** `wire` is null when the vendor would not take the block back, `cutOff` true for a call ended inside its input. */
type Block = { readonly wire: WireBlock | null; readonly part: ReplyPart | null; readonly cutOff: boolean };

const count = z.number().nullish();
const WireUsage = z.object({
  input_tokens: count,
  cache_read_input_tokens: count,
  cache_creation_input_tokens: count,
  output_tokens: count,
  output_tokens_details: z.object({ thinking_tokens: count }).nullish(),
});
const Start = z.object({
  message: z.object({
    id: z.string().nullish(),
    usage: WireUsage,
    diagnostics: z.object({ cache_miss_reason: z.object({ type: z.string() }).nullish() }).nullish(),
  }),
});
const BlockStart = z.object({
  index: z.number(),
  content_block: z.custom<WireBlock>(isTagged),
});
const text = z.string().default("");
const BlockDelta = z.object({
  index: z.number(),
  delta: z.object({ text, thinking: text, signature: text, partial_json: text }),
});
const ToolUse = z.object({ id: z.string(), name: z.string(), input: z.unknown() });
const MessageDelta = z.object({ delta: z.object({ stop_reason: z.string().nullish() }), usage: WireUsage.nullish() });
const ErrorBody = z.object({
  error: z.object({
    type: z.string().nullish(),
    message: z.string().default("no message"),
    details: z.object({ error_code: z.string().nullish() }).nullish(),
  }),
});

const NO_USAGE: Usage = { input: 0, cachedRead: 0, cacheWrite: 0, output: 0, reasoning: 0 };

/** Throws ModelError "connection" when the stream ends before the vendor's last event. */
export async function readMessage(events: AsyncIterable<SentEvent>, names: Names): Promise<ModelReply> {
  const drafts = new Map<number, Draft>();
  let usage = NO_USAGE;
  let stop: string | null = null;
  let id: string | null = null;
  let cacheMiss: string | null = null;
  for await (const sent of events) {
    const { type, value } = readSent(sent.data);
    switch (type) {
      case "message_start": {
        const { message } = readEvent(Start, value);
        usage = laterUsage(usage, message.usage);
        id = message.id ?? null;
        cacheMiss = message.diagnostics?.cache_miss_reason?.type ?? null;
        break;
      }
      case "content_block_start": {
        const { index, content_block } = readEvent(BlockStart, value);
        drafts.set(index, openDraft(content_block));
        break;
      }
      case "content_block_delta":
        extendDraft(drafts, readEvent(BlockDelta, value));
        break;
      case "message_delta": {
        const { delta, usage: later } = readEvent(MessageDelta, value);
        stop = delta.stop_reason ?? stop;
        if (later) usage = laterUsage(usage, later);
        break;
      }
      case "error":
        throw readErrorEvent(value);
      case "message_stop":
        return finish(
          [...drafts.values()].map((draft) => closeDraft(draft, names.toolNames)),
          { wireStop: stop, usage, cacheMiss, id, name: names.name },
        );
      default: // Pings, and what the vendor adds later.
    }
  }
  throw new ModelError("connection", "Anthropic's stream ended before the message did.");
}

function readSent(data: string): { readonly type: unknown; readonly value: unknown } {
  if (data === "") return { type: undefined, value: undefined };
  const value = readObject(data);
  if (!value) throw new ModelError("connection", "Anthropic's stream held an event cut short.");
  return { type: value["type"], value };
}

function openDraft(block: WireBlock): Draft {
  const start = withoutNulls(block);
  const word = (field: string) => (typeof start[field] === "string" ? start[field] : "");
  return { start, text: word("text") || word("thinking"), signature: word("signature"), json: "" };
}

/** A text's `citations`: said of each, needed by none, and sent again with every request. */
function withoutNulls(block: WireBlock): WireBlock {
  return { ...Object.fromEntries(Object.entries(block).filter(([, value]) => value !== null)), type: block.type };
}

function extendDraft(drafts: ReadonlyMap<number, Draft>, { index, delta }: z.infer<typeof BlockDelta>): void {
  const draft = drafts.get(index);
  if (!draft) throw new ModelError("server", "Anthropic continued a block it had not begun.");
  draft.text += delta.text + delta.thinking;
  draft.signature += delta.signature;
  draft.json += delta.partial_json;
}

function closeDraft({ start, text, signature, json }: Draft, toolNames: ReadonlyMap<string, string>): Block {
  switch (start.type) {
    case "text": // The API writes blank text blocks now and then, and refuses them when they come back.
      if (text.trim() === "") return { wire: null, part: null, cutOff: false };
      return { wire: { ...start, text }, part: { kind: "text", text }, cutOff: false };
    case "thinking": {
      const wire = signature === "" ? null : { ...start, thinking: text, signature };
      return { wire, part: text === "" ? null : { kind: "thinking", text }, cutOff: false };
    }
    case "tool_use": {
      const { id, name, input: empty } = readEvent(ToolUse, start);
      const input = json === "" ? empty : readObject(json);
      const call = { id, tool: toolNames.get(name) ?? name, input: input ?? json };
      // The API takes only objects back; this way the model still sees what it wrote.
      const wire = { ...start, input: input ?? { invalid_json: json } };
      return { wire, part: { kind: "call", call }, cutOff: json === "" || input === null };
    }
    default: // redacted_thinking, and what the vendor adds later: whole from the start, ours only to send back.
      return { wire: start, part: null, cutOff: false };
  }
}

type Ending = {
  readonly wireStop: string | null;
  readonly usage: Usage;
  readonly cacheMiss: string | null;
  readonly id: string | null;
  readonly name: string;
};

function finish(all: readonly Block[], { wireStop, usage, cacheMiss, id, name }: Ending): ModelReply {
  const stop = readStop(wireStop);
  if (stop === "refused") return { parts: all.flatMap(spoken), stop, usage, cacheMiss, opaque: null };
  const isCut = stop === "output-limit" || stop === "window-exceeded";
  const blocks = all.filter((block) => !(isCut && block.cutOff));
  const parts = blocks.flatMap(({ part }) => part ?? []);
  const wires = blocks.flatMap(({ wire }) => wire ?? []);
  // A message may not end in a thought, except one the vendor itself will continue.
  const keep = stop === "paused" ? wires.length : wires.findLastIndex(({ type }) => !type.includes("thinking")) + 1;
  // Text, because a store may reorder the keys of an object and the vendor compares bytes.
  const opaque = { provider: "anthropic", model: name, value: JSON.stringify({ id, blocks: wires.slice(0, keep) }) };
  const calls = parts.some(({ kind }) => kind === "call");
  return { parts, stop: stop === "finished" && calls ? "tool-calls" : stop, usage, cacheMiss, opaque };
}

/** After a refusal the vendor asks to drop the turn: its calls are not run and its thoughts not sent back. */
function spoken({ part }: Block): readonly ReplyPart[] {
  return part?.kind === "text" ? [part] : [];
}

function readStop(reason: string | null): StopReason {
  switch (reason) {
    case "tool_use":
      return "tool-calls";
    case "max_tokens":
      return "output-limit";
    case "refusal":
      return "refused";
    case "pause_turn":
      return "paused";
    case "model_context_window_exceeded":
      return "window-exceeded";
    default: // end_turn, stop_sequence, and what the vendor adds later.
      return "finished";
  }
}

/** Counts are cumulative: a later one replaces an earlier one. */
function laterUsage(usage: Usage, wire: z.infer<typeof WireUsage>): Usage {
  return {
    input: wire.input_tokens ?? usage.input,
    cachedRead: wire.cache_read_input_tokens ?? usage.cachedRead,
    cacheWrite: wire.cache_creation_input_tokens ?? usage.cacheWrite,
    output: wire.output_tokens ?? usage.output,
    reasoning: wire.output_tokens_details?.thinking_tokens ?? usage.reasoning,
  };
}

/** An error after the 200: an overloaded vendor most of the time. */
function readErrorEvent(value: unknown): ModelError {
  const { type = null, message, details } = readEvent(ErrorBody, value).error;
  const code = details?.error_code ?? null;
  return new ModelError(anthropicFault({ status: undefined, type, code, message }), `Anthropic: ${message}`);
}
