/**
 * Claude over Message Batches. Requests are the adapter's own, without the stream; a result is a whole message, played
 * as events to the adapter's own reader. Sources: SDK 1.11's types; platform.claude.com/docs, batch processing, read 2026-11-21.
 */
import type { BatchCreateParams } from "@anthropic-ai/sdk/resources/messages/batches";
import type { MessageParam } from "@anthropic-ai/sdk/resources/messages/messages";
import { z } from "zod";
import { openMessages } from "./anthropic.ts";
import { readAnthropicFault } from "./anthropic-fault.ts";
import { readMessage } from "./anthropic-reply.ts";
import { toMessageParams, toolNames } from "./anthropic-request.ts";
import { callVendor, type BatchResult, type BatchWire } from "./batch-wire.ts";
import { ModelError, type ModelFacts, type ModelReply, type ModelRequest } from "./model.ts";
import { isTagged, readEvent, readObject } from "./wire.ts";

/** An upload of the largest batch we send, over a slow line. Everything else here is small. */
const CALL_MS_MAX = 240_000;

const BASE_URL = "https://api.anthropic.com";

/** Items of a batch may be a while apart, so the vendor advises the longer life. All marks alike: a shorter one may not come first. */
const CACHE = { type: "ephemeral", ttl: "1h" } as const;

export type AnthropicBatchOptions = {
  readonly apiKey: string;
  readonly baseUrl: string | null;
  readonly name: string;
  readonly facts: ModelFacts;
};

export function anthropicBatches({ apiKey, baseUrl, name, facts }: AnthropicBatchOptions): BatchWire {
  const baseURL = baseUrl ?? BASE_URL;
  const timeout = CALL_MS_MAX;
  const { batches } = openMessages({ apiKey, baseURL, timeout });
  const call = <T>(work: () => Promise<T>, signal: AbortSignal) => callVendor(work, readAnthropicFault, signal);
  return {
    toLine: async (key, request) => toLine(key, request, { name, facts }),
    submit: async (lines, signal) => {
      const requests = lines.map((line) => OwnLine.parse(JSON.parse(line)));
      return (await call(() => batches.create({ requests }, { signal }), signal)).id;
    },
    results: async (batchId, signal) => {
      const batch = await call(() => batches.retrieve(batchId, null, { signal }), signal);
      if (batch.processing_status !== "ended") return null;
      const lines = await call(() => batches.results(batchId, undefined, { signal }), signal);
      return { items: readLines(lines, signal), rest: "null" };
    },
    cancel: async (batchId, signal) => {
      await call(() => batches.cancel(batchId, null, { signal }), signal);
    },
    discard: async (batchId, signal) => {
      await call(() => batches.delete(batchId, null, { signal }), signal);
    },
    read: (result, request) => readResult(result, request, name),
  };
}

function toLine(
  key: string,
  request: ModelRequest,
  { name, facts }: { readonly name: string; readonly facts: ModelFacts },
): string {
  const { stream: _, ...params } = toMessageParams(request, { name, facts, asksWhyMissed: false });
  const { system, tools, messages } = params;
  const longer = {
    ...params,
    ...(Array.isArray(system) ? { system: system.map(keepLonger) } : {}),
    ...(tools ? { tools: tools.map(keepLonger) } : {}),
    messages: messages.map(keepMessage),
  };
  return JSON.stringify({ custom_id: key, params: longer } satisfies BatchCreateParams.Request);
}

function keepMessage(message: MessageParam): MessageParam {
  // Only what the user says is ever marked.
  if (message.role !== "user" || typeof message.content === "string") return message;
  return { ...message, content: message.content.map(keepLonger) };
}

/** The mark of a block itself; what a tool's input or schema calls so is none. */
function keepLonger<B extends object>(block: B): B {
  return "cache_control" in block && block.cache_control ? { ...block, cache_control: CACHE } : block;
}

/** The one place where a vendor's shape is taken on trust: a line that `toLine` wrote. */
const LineShape = z.object({ custom_id: z.string(), params: z.object({ model: z.string() }) });
const OwnLine = z.custom<BatchCreateParams.Request>((value) => LineShape.safeParse(value).success);

const Line = z.object({ custom_id: z.string(), result: z.record(z.string(), z.unknown()) });

async function* readLines(lines: AsyncIterable<unknown>, signal: AbortSignal): AsyncGenerator<BatchResult> {
  const iterator = lines[Symbol.asyncIterator]();
  // Ends with the vendor's file.
  for (;;) {
    const next = await callVendor(() => iterator.next(), readAnthropicFault, signal);
    if (next.done) return;
    const { custom_id, result } = readEvent(Line, next.value);
    yield { key: custom_id, result: JSON.stringify(result) };
  }
}

const Result = z.object({ type: z.string(), error: z.unknown().optional(), message: z.unknown().optional() });
const Block = z.custom<{ readonly type: string; readonly [field: string]: unknown }>(isTagged);
const Whole = z.looseObject({ content: z.array(Block), stop_reason: z.string().nullish() });
const Errored = z.record(z.string(), z.unknown());

/** Neither expired nor cancelled requests are billed. */
async function readResult(text: string, request: ModelRequest, name: string): Promise<ModelReply> {
  const { type, message, error } = readEvent(Result, readObject(text) ?? { type: "missing" });
  switch (type) {
    case "succeeded":
      return readMessage(play(eventsOf(readEvent(Whole, message))), { name, toolNames: toolNames(request.tools) });
    case "errored":
      return readMessage(play([{ ...readEvent(Errored, error), type: "error" }]), { name, toolNames: new Map() });
    case "expired":
      throw new ModelError("overloaded", "Anthropic: the batch ended after 24 hours without this request.");
    case "canceled":
      throw new ModelError("server", "Anthropic: the batch was cancelled before this request.");
    default:
      throw new ModelError("server", "Anthropic: the batch ended without a result for this request.");
  }
}

type SentEvent = { readonly event: null; readonly data: string };

async function* play(events: readonly object[]): AsyncGenerator<SentEvent> {
  for (const event of events) yield { event: null, data: JSON.stringify(event) };
}

/**
 * A whole message as the events it would have come in. The input of a call is given once more as text, which says that it is
 * whole; not so for the last block of a message that was cut, where nothing tells a cut input from a short one.
 */
function eventsOf({ content, stop_reason, ...message }: z.infer<typeof Whole>): readonly object[] {
  const isCut = stop_reason === "max_tokens" || stop_reason === "model_context_window_exceeded";
  const blocks = content.flatMap((block, index) => {
    const start = { type: "content_block_start", index, content_block: block };
    if (block.type !== "tool_use" || (isCut && index === content.length - 1)) return [start];
    const delta = { type: "input_json_delta", partial_json: JSON.stringify(block["input"]) };
    return [start, { type: "content_block_delta", index, delta }];
  });
  return [
    { type: "message_start", message },
    ...blocks,
    { type: "message_delta", delta: { stop_reason } },
    { type: "message_stop" },
  ];
}
