/** OpenAI's Responses API: what a request asks, and the whole response; its events are openai-events.ts's. */
import { namedEvents, type Answer, type Ask, type Counts, type Failure, type Segment, type Wire } from "./ask.ts";
import { eventsOf, type ItemInProgress, type WireResponse } from "./openai-events.ts";
import { checkOpenai, countTurns, ENCRYPTED, invalid, isModelItem, readItems, shapeRefusal } from "./openai-rules.ts";
import { openaiRequest, type OpenaiItem, type OpenaiRequest, type OpenaiTool } from "./openai-schema.ts";
import { weighImages } from "./images.ts";
import { firstWrong, scriptRefusal } from "./refusal.ts";
import type { DeclaredTool } from "./render-calls.ts";
import type { Part, Reply } from "./reply.ts";
import type { Stop } from "./script.ts";
import { hashOf, seal } from "./seal.ts";

export const openaiWire: Wire = {
  ...namedEvents,
  name: "openai",
  readAsk,
  answer,
  failureEvent,
  errorBody: ({ message, type, code, param, status }) => ({
    error: {
      message,
      type: type ?? errorTypes.get(status) ?? "server_error",
      param,
      code: code ?? codes.get(status) ?? null,
    },
  }),
  requestIdHeader: "x-request-id",
  windowRefusal: () =>
    invalid(
      "Your input exceeds the context window of this model. Please adjust your input and try again.",
      "context_length_exceeded",
      "input",
    ),
};

const errorTypes: ReadonlyMap<number, string> = new Map([
  [400, "invalid_request_error"],
  [401, "invalid_request_error"],
  [402, "insufficient_quota"],
  [403, "invalid_request_error"],
  [404, "invalid_request_error"],
  [413, "invalid_request_error"],
  [429, "requests"],
]);
const codes: ReadonlyMap<number, string> = new Map([
  [401, "invalid_api_key"],
  [429, "rate_limit_exceeded"],
  [503, "server_is_overloaded"],
  [529, "server_is_overloaded"],
]);

function readAsk(body: unknown): Ask {
  const parsed = openaiRequest.safeParse(body);
  if (!parsed.success) throw shapeRefusal(firstWrong(parsed.error));
  const request = parsed.data;
  const items = readItems(request);
  checkOpenai(request, items);
  const { reasoning } = request;
  const last = items.at(-1);
  return {
    model: request.model,
    stream: request.stream ?? false,
    text: [request.instructions ?? "", ...items.map(heardText)].join("\n"),
    turn: countTurns(items),
    endsWithModel: last !== undefined && isModelItem(last),
    tools: (request.tools ?? []).map(readTool),
    segments: segmentsOf(request, items),
    cacheKey: request.prompt_cache_key ?? "",
    seed: hashOf(items),
    thinking: reasoning?.effort === "none" ? "off" : reasoning?.summary ? "shown" : "hidden",
    wantsEncrypted: request.include?.includes("reasoning.encrypted_content") ?? false,
    body: { ...request },
  };
}

function heardText(item: OpenaiItem): string {
  if (!("role" in item) || item.role === "assistant") return "";
  if (typeof item.content === "string") return item.content;
  return item.content.map((part) => (part.type === "input_text" ? part.text : "")).join("\n");
}

function readTool(tool: OpenaiTool): DeclaredTool {
  const none = { required: [], properties: [] };
  if (tool.type === "apply_patch") return { ...none, name: "apply_patch", kind: "patch" };
  if (tool.type === "shell") return { ...none, name: "shell", kind: "shell" };
  if (tool.type === "custom") return { ...none, name: tool.name, kind: "free-form" };
  const properties = Object.keys(tool.parameters?.["properties"] ?? {});
  return { name: tool.name, kind: "function", properties, required: tool.strict ? properties : [] };
}

const segmentsOf = (request: OpenaiRequest, items: readonly OpenaiItem[]): readonly Segment[] =>
  [request.instructions ?? "", ...(request.tools ?? []), ...items].map((part) => ({
    text: `${JSON.stringify(part, weighImages)}\n`,
    breakpoint: false,
  }));

function answer(ask: Ask, reply: Reply, counts: Counts): Answer {
  const items = reply.parts
    .filter((part) => part.kind !== "thinking" || ask.thinking !== "off")
    .map((part, index) => buildItem(ask, part, index));
  const ending = endingOf(reply.stop);
  const last = items.at(-1);
  // What the limit cut off says so itself.
  if (last && ending.status === "incomplete") items[items.length - 1] = { ...last, isCut: true };
  return eventsOf(responseOf(ask, counts, ending), items);
}

type Ending = Pick<WireResponse, "status" | "incomplete_details">;

function endingOf(stop: Stop): Ending & { status: "completed" | "incomplete" } {
  if (stop === "max_tokens") return { status: "incomplete", incomplete_details: { reason: "max_output_tokens" } };
  if (stop === "pause_turn" || stop === "model_context_window_exceeded") {
    throw scriptRefusal(`OpenAI's wire has no stop "${stop}"`);
  }
  return { status: "completed", incomplete_details: null };
}

function responseOf(ask: Ask, counts: Counts, ending: Ending): WireResponse {
  const input = counts.input + counts.cachedRead + counts.cacheWrite;
  return {
    id: `resp_${hashOf(ask.seed, "response")}`,
    object: "response",
    created_at: 1_790_000_000, // Constant: the same request gets the same bytes.
    access_programs: null,
    error: null,
    instructions: null,
    metadata: {},
    model: ask.model,
    output: [],
    parallel_tool_calls: ask.body["parallel_tool_calls"] !== false,
    temperature: 1,
    tool_choice: "auto",
    tools: [],
    top_p: 1,
    ...ending,
    usage: {
      input_tokens: input,
      input_tokens_details: { cached_tokens: counts.cachedRead, cache_write_tokens: counts.cacheWrite },
      output_tokens: counts.output,
      output_tokens_details: { reasoning_tokens: counts.reasoning },
      total_tokens: input + counts.output,
    },
  };
}

function buildItem(ask: Ask, part: Part, index: number): ItemInProgress {
  const id = hashOf(ask.seed, index);
  switch (part.kind) {
    case "thinking": {
      const itemId = `rs_${id}`;
      return {
        kind: "reasoning",
        id: itemId,
        summary: ask.thinking === "shown" ? part.text : null,
        encrypted: ask.wantsEncrypted ? seal(`${ENCRYPTED}.${itemId}.`, itemId) : null,
      };
    }
    case "text":
    case "refusal":
      return { kind: part.kind, id: `msg_${id}`, text: part.text, isCut: false };
    case "call": {
      const { call } = part;
      if (call.kind === "patch") {
        const operation = { ...call.operation, diff: part.text };
        return { kind: "patch", id: `apc_${id}`, callId: `call_${id}`, operation };
      }
      if (call.kind === "shell") {
        const { timeoutMs: timeout_ms = null, outputLengthMax: max_output_length = null } = call.commands;
        const action = { commands: writtenOf(call.commands.commands, part.text), timeout_ms, max_output_length };
        return { kind: "shell", id: `sh_${id}`, callId: `call_${id}`, action };
      }
      const kind = call.kind === "function" ? "function" : "custom";
      const prefix = kind === "function" ? "fc" : "ctc";
      return { kind, id: `${prefix}_${id}`, callId: `call_${id}`, name: call.name, text: part.text, isCut: false };
    }
  }
}

/** Of a list that was cut off the last command is half written; one that was spoiled is empty. */
function writtenOf(commands: readonly string[], text: string): string[] {
  if (text === "[]") return [];
  if (text === JSON.stringify(commands)) return [...commands];
  return commands.map((one, i) => (i < commands.length - 1 ? one : one.slice(0, Math.ceil(one.length / 2))));
}

/** Scripts name failures in Anthropic's words; these are OpenAI's for the same. */
const failureCodes: ReadonlyMap<string, string> = new Map([
  ["overloaded_error", "server_is_overloaded"],
  ["rate_limit_error", "rate_limit_exceeded"],
  ["api_error", "server_error"],
  ["invalid_request_error", "invalid_prompt"],
]);

function failureEvent({ type, message, shape }: Failure, { whole }: Answer, sequence: number) {
  const code = failureCodes.get(type) ?? type;
  if (shape === "error") return { type: "error", code, message, param: null, sequence_number: sequence };
  const response = { ...whole, status: "failed", output: [], usage: null, error: { code, message } };
  return { type: "response.failed", response, sequence_number: sequence };
}
