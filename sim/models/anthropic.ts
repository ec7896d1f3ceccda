/** Anthropic's Messages API: what a request asks, and the answer as the SDK's own event types give it. */
import type {
  CacheMissReason,
  Message,
  RawMessageStreamEvent,
  Usage,
} from "@anthropic-ai/sdk/resources/messages/messages";
import {
  namedEvents,
  type Answer,
  type Ask,
  type CacheMiss,
  type Counts,
  type Failure,
  type Segment,
  type Wire,
} from "./ask.ts";
import { blocksOf, checkAnthropic, invalid, SIGNATURE } from "./anthropic-rules.ts";
import { anthropicRequest, type AnthropicRequest } from "./anthropic-schema.ts";
import { weighImages } from "./images.ts";
import { firstWrong, Refusal } from "./refusal.ts";
import type { DeclaredTool } from "./render-calls.ts";
import { inPieces, type Part, type Reply } from "./reply.ts";
import { hashOf, messageIdOf, seal } from "./seal.ts";

/** The SDK types neither pings nor failures as stream events; and a scripted failure may have a type it does not know. */
type ErrorBody = {
  type: "error";
  error: { type: string; message: string; details?: { error_code: string } };
  request_id: string | null;
};
type AnthropicEvent = RawMessageStreamEvent | { readonly type: "ping" };
type Block = Message["content"][number];

export const anthropicWire: Wire = {
  ...namedEvents,
  name: "anthropic",
  readAsk: (body) => readAsk(body, "create"),
  answer,
  failureEvent,
  errorBody: (refusal, requestId) =>
    ({
      type: "error",
      error: {
        type: refusal.type ?? errorTypes.get(refusal.status) ?? "api_error",
        message: refusal.message,
        ...detailsOf(refusal),
      },
      request_id: requestId,
    }) satisfies ErrorBody,
  requestIdHeader: "request-id",
  windowRefusal: (tokens, max) => invalid(`prompt is too long: ${tokens} tokens > ${max} maximum`),
};

const detailsOf = ({ detailsCode }: Refusal) => (detailsCode === null ? {} : { details: { error_code: detailsCode } });

export const readCountAsk = (body: unknown): Ask => readAsk(body, "countTokens");

const errorTypes: ReadonlyMap<number, string> = new Map([
  [400, "invalid_request_error"],
  [401, "authentication_error"],
  [402, "billing_error"],
  [403, "permission_error"],
  [404, "not_found_error"],
  [413, "request_too_large"],
  [429, "rate_limit_error"],
  [504, "timeout_error"],
  [529, "overloaded_error"],
]);

function readAsk(body: unknown, kind: keyof typeof anthropicRequest): Ask {
  const parsed = anthropicRequest[kind].safeParse(body);
  if (!parsed.success) {
    const wrong = firstWrong(parsed.error);
    throw invalid(`${wrong.path.join(".")}: ${wrong.message}`);
  }
  const request: AnthropicRequest = parsed.data;
  checkAnthropic(request);
  const roles = request.messages.map(({ role }) => role);
  return {
    model: request.model,
    stream: request.stream ?? false,
    text: heardText(request),
    turn: roles.filter((role) => role === "assistant").length,
    endsWithModel: roles.at(-1) === "assistant",
    tools: (request.tools ?? []).map(readTool),
    segments: segmentsOf(request),
    cacheKey: "",
    seed: hashOf(request.messages),
    thinking: thinkingOf(request),
    wantsEncrypted: true,
    body: { ...parsed.data },
  };
}

function thinkingOf({ thinking }: AnthropicRequest): Ask["thinking"] {
  if (thinking?.type === "disabled") return "off";
  return thinking && "display" in thinking && thinking.display === "omitted" ? "hidden" : "shown";
}

function heardText(request: AnthropicRequest): string {
  const system = typeof request.system === "string" ? [request.system] : (request.system ?? []).map(({ text }) => text);
  const said = request.messages
    .filter(({ role }) => role !== "assistant")
    .flatMap((message) => blocksOf(message))
    .flatMap((block) => (block.type === "text" ? [block.text] : []));
  return [...system, ...said].join("\n");
}

function readTool(tool: NonNullable<AnthropicRequest["tools"]>[number]): DeclaredTool {
  const plain = { name: tool.name, required: [], properties: [] };
  if (tool.type?.startsWith("bash_")) return { ...plain, kind: "bash" };
  if (tool.type?.startsWith("text_editor_")) return { ...plain, kind: "editor" };
  if (!("input_schema" in tool)) return { ...plain, kind: "function" };
  const required = tool.strict ? (tool.input_schema.required ?? []) : [];
  const properties = Object.keys(tool.input_schema.properties ?? {});
  return { name: tool.name, kind: "function", required, properties };
}

function segmentsOf(request: AnthropicRequest): readonly Segment[] {
  const system = typeof request.system === "string" ? [{ type: "text", text: request.system }] : (request.system ?? []);
  const said = request.messages.flatMap((message) =>
    blocksOf(message).map((block) => ({ role: message.role, ...block })),
  );
  const segments = [...(request.tools ?? []), ...system, ...said].map((block) => {
    const { cache_control: mark, ...rest } = { cache_control: null, ...block };
    return { text: JSON.stringify(rest, weighImages), breakpoint: Boolean(mark) };
  });
  // A mark on the request itself means: up to the last block.
  return segments.map((segment, index) =>
    request.cache_control && index === segments.length - 1 ? { ...segment, breakpoint: true } : segment,
  );
}

function answer(ask: Ask, reply: Reply, counts: Counts): Answer {
  const parts = reply.parts.filter((part) => part.kind !== "thinking" || ask.thinking !== "off");
  const built = parts.map((part, index) => buildBlock(ask, part, index));
  const whole = {
    id: messageIdOf(ask.seed),
    type: "message",
    role: "assistant",
    model: ask.model,
    content: built.map(({ block }) => block),
    container: null,
    diagnostics: counts.cacheMiss === undefined ? null : { cache_miss_reason: reasonOf(counts.cacheMiss) },
    stop_reason: reply.stop,
    stop_sequence: null,
    stop_details:
      reply.stop === "refusal" ? { type: "refusal", category: null, explanation: "Scripted refusal." } : null,
    usage: usageOf(counts),
  } satisfies Message;

  const opening = {
    ...whole,
    content: [],
    stop_reason: null,
    stop_details: null,
    usage: { ...whole.usage, output_tokens: 1 },
  };
  const events: AnthropicEvent[] = [{ type: "message_start", message: opening }, { type: "ping" }];
  for (const { events: own } of built) events.push(...own);
  const endsAt = events.length;
  const { stop_reason, stop_sequence, stop_details, container, usage } = whole;
  events.push(
    { type: "message_delta", delta: { stop_reason, stop_sequence, stop_details, container }, usage },
    { type: "message_stop" },
  );
  return { whole, events, endsAt };
}

/** The reasons in the SDK's types; `tokens` is 0 where a reason has none. */
function reasonOf(miss: CacheMiss): CacheMissReason | null {
  if (!miss) return null;
  const cache_missed_input_tokens = miss.cache_missed_input_tokens ?? 0;
  switch (miss.type) {
    case "model_changed":
    case "system_changed":
    case "tools_changed":
    case "messages_changed":
      return { type: miss.type, cache_missed_input_tokens };
    default:
      return { type: "previous_message_not_found" };
  }
}

function usageOf(counts: Counts): Usage {
  return {
    input_tokens: counts.input,
    cache_read_input_tokens: counts.cachedRead,
    cache_creation_input_tokens: counts.cacheWrite,
    cache_creation: { ephemeral_5m_input_tokens: counts.cacheWrite, ephemeral_1h_input_tokens: 0 },
    output_tokens: counts.output,
    output_tokens_details: { thinking_tokens: counts.reasoning },
    server_tool_use: null,
    service_tier: "standard",
    inference_geo: null,
    speed: null,
  };
}

type Built = { readonly block: Block; readonly events: readonly RawMessageStreamEvent[] };
type Delta = Extract<RawMessageStreamEvent, { type: "content_block_delta" }>["delta"];

function buildBlock(ask: Ask, part: Part, index: number): Built {
  const built = (block: Block, empty: Block, deltas: readonly Delta[]): Built => ({
    block,
    events: [
      { type: "content_block_start", index, content_block: empty },
      ...deltas.map((delta) => ({ type: "content_block_delta", index, delta }) as const),
      { type: "content_block_stop", index },
    ],
  });
  switch (part.kind) {
    case "thinking": {
      const thinking = ask.thinking === "hidden" ? "" : part.text;
      const signature = seal(SIGNATURE, ask.model, thinking);
      return built({ type: "thinking", thinking, signature }, { type: "thinking", thinking: "", signature: "" }, [
        ...inPieces(thinking).map((piece) => ({ type: "thinking_delta", thinking: piece }) as const),
        { type: "signature_delta", signature },
      ]);
    }
    case "text":
    case "refusal": {
      const block = { type: "text", citations: null } as const;
      const deltas = inPieces(part.text).map((piece) => ({ type: "text_delta", text: piece }) as const);
      return built({ ...block, text: part.text }, { ...block, text: "" }, deltas);
    }
    case "call": {
      if (part.call.kind !== "function") throw new Refusal(500, "sim/models: Anthropic has no free-form tools");
      const id = `toolu_${hashOf(ask.seed, index)}`;
      const use = { type: "tool_use", id, name: part.call.name, caller: { type: "direct" } } as const;
      const pieces = ["", ...inPieces(part.text)];
      const deltas = pieces.map((piece) => ({ type: "input_json_delta", partial_json: piece }) as const);
      return built({ ...use, input: part.call.input }, { ...use, input: {} }, deltas);
    }
  }
}

function failureEvent({ type, message }: Failure): ErrorBody {
  return { type: "error", error: { type, message }, request_id: null };
}
