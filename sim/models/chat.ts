/**
 * Chat Completions as vLLM, Ollama, llama.cpp and LiteLLM serve them: chunks in the SDK's own types, thoughts in `reasoning_content`,
 * calls by index or, when the script says so, as text. Refuses what the chat templates behind such servers refuse.
 */
import type { ChatCompletion, ChatCompletionChunk } from "openai/resources/chat/completions";
import type { Answer, Ask, Counts, Failure, Wire } from "./ask.ts";
import { chatRequest, type ChatMessage, type ChatRequest } from "./chat-schema.ts";
import { writeCalls } from "./chat-text-calls.ts";
import { openImage, readDataUrl, weighImages } from "./images.ts";
import { firstWrong, Refusal, scriptRefusal } from "./refusal.ts";
import { inPieces, type Part, type Reply } from "./reply.ts";
import type { Stop } from "./script.ts";
import { hashOf } from "./seal.ts";

export const chatWire: Wire = {
  name: "compatible",
  readAsk,
  answer,
  failureEvent: ({ type, message }: Failure) => ({
    error: { message, type, param: null, code: failureStatus.get(type) ?? 500 },
  }),
  errorBody,
  requestIdHeader: "x-request-id",
  windowRefusal: (tokens, max) =>
    invalid(`This model's maximum context length is ${max} tokens. However, your request has ${tokens} input tokens.`),
  contentType: "text/event-stream; charset=utf-8",
  frame: (event) => `data: ${JSON.stringify(event)}\n\n`,
  closing: "data: [DONE]\n\n",
  unknownEvent: { object: "chat.completion.something_new", detail: { depth: 1 } },
};

const failureStatus: ReadonlyMap<string, number> = new Map([
  ["overloaded_error", 503],
  ["rate_limit_error", 429],
  ["invalid_request_error", 400],
]);

const invalid = (message: string): Refusal => new Refusal(400, message, { type: "BadRequestError" });

/** In the shape of the server that the script names. */
function errorBody({ message, type, code, status, shape }: Refusal): object | string {
  switch (shape) {
    case "vllm":
      return { object: "error", message, type: type ?? "BadRequestError", param: null, code: status };
    case "ollama":
      return { error: message };
    case "fastapi":
      return { detail: message };
    case "html":
      return `<html><head><title>${status}</title></head><body><h1>${message}</h1><hr>nginx</body></html>`;
    default:
      return { error: { message, type: type ?? "server_error", param: null, code: code ?? status } };
  }
}

function readAsk(body: unknown): Ask {
  const parsed = chatRequest.safeParse(body);
  if (!parsed.success) {
    const wrong = firstWrong(parsed.error);
    throw invalid(`${wrong.path.join(".")}: ${wrong.message}`);
  }
  const request = parsed.data;
  checkMessages(request.messages);
  const tools = (request.tools ?? []).map(({ function: { name, parameters } }) => {
    const properties = parameters["properties"];
    return { name, kind: "function", required: [], properties: Object.keys(properties ?? {}) } as const;
  });
  const roles = request.messages.map(({ role }) => role);
  return {
    model: request.model,
    stream: request.stream ?? false,
    text: request.messages.flatMap((message) => (message.role === "assistant" ? [] : [textOf(message)])).join("\n"),
    turn: roles.filter((role) => role === "assistant").length,
    endsWithModel: roles.at(-1) === "assistant",
    tools,
    segments: [...(request.tools ?? []), ...request.messages].map((part) => ({
      text: `${JSON.stringify(part, weighImages)}\n`,
      breakpoint: false,
    })),
    cacheKey: "",
    seed: hashOf(request.messages),
    thinking: "shown",
    wantsEncrypted: false,
    body: { ...request },
  };
}

const textOf = ({ content }: ChatMessage): string =>
  typeof content === "string"
    ? content
    : (content ?? []).map((part) => (part.type === "text" ? part.text : "")).join("\n");

/** What templates raise: results without their calls, roles that do not alternate, a system message in the middle. */
function checkMessages(messages: ChatRequest["messages"]): void {
  let open: readonly string[] = [];
  messages.forEach((message, index) => {
    const before = messages[index - 1];
    if (message.role === "system" && index > 0) throw invalid("System message must be at the beginning.");
    if (message.role === "tool") {
      if (!open.includes(message.tool_call_id))
        throw invalid(`Tool message has no call ${message.tool_call_id} before it.`);
      open = open.filter((id) => id !== message.tool_call_id);
      return;
    }
    if (open.length > 0) throw invalid(`Tool calls without a result: ${open.join(", ")}`);
    if (message.role === "user") checkImages(message.content);
    if (message.role === "user" && before?.role === "user") {
      throw invalid("Conversation roles must alternate user/assistant/user/assistant/...");
    }
    if (message.role === "assistant") {
      if (textOf(message) === "" && !message.tool_calls)
        throw invalid("Assistant message must have content or tool calls.");
      open = (message.tool_calls ?? []).map(({ id }) => id);
      if (new Set(open).size < open.length) throw invalid("Tool call ids must be unique.");
    }
  });
  if (open.length > 0) throw invalid(`Tool calls without a result: ${open.join(", ")}`);
}

/** As vLLM says it. */
function checkImages(content: ChatMessage["content"]): void {
  for (const part of Array.isArray(content) ? content : []) {
    if (part.type !== "image_url") continue;
    const url = readDataUrl(part.image_url.url);
    if (!url || !openImage(url.base64)) throw invalid("cannot identify image file");
  }
}

type Delta = ChatCompletionChunk.Choice.Delta & { reasoning_content?: string };
type Finish = ChatCompletionChunk.Choice["finish_reason"];

function answer(ask: Ask, reply: Reply, counts: Counts): Answer {
  const id = `chatcmpl-${hashOf(ask.seed, "chat")}`;
  const common = { id, created: 1_790_000_000, model: ask.model };
  const chunk = (delta: Delta, finish_reason: Finish = null): ChatCompletionChunk => ({
    ...common,
    object: "chat.completion.chunk",
    choices: [{ index: 0, delta, finish_reason, logprobs: null }],
  });
  const calls = reply.parts.flatMap((part) => (part.kind === "call" ? [part] : []));
  const asText = reply.callsAs && calls.length > 0 ? writeCalls(reply.callsAs, calls) : null;
  const parts: readonly Part[] = asText
    ? [...reply.parts.filter(({ kind }) => kind !== "call"), { kind: "text", text: asText }]
    : reply.parts;
  const finish = finishOf(reply.stop, asText === null);
  const deltas = [{ role: "assistant", content: "" } as const, ...deltasOf(ask, parts)];
  const events: ChatCompletionChunk[] = deltas.map((delta) => chunk(delta));
  const endsAt = events.length;
  events.push(chunk({}, finish));
  const usage = usageOf(counts);
  if (!reply.withoutUsage) events.push({ ...common, object: "chat.completion.chunk", choices: [], usage });
  return { whole: wholeOf(common, deltas, { finish, usage }), events, endsAt };
}

function deltasOf(ask: Ask, parts: readonly Part[]): readonly Delta[] {
  let index = -1;
  return parts.flatMap((part): readonly Delta[] => {
    switch (part.kind) {
      case "thinking":
        return inPieces(part.text).map((reasoning_content) => ({ reasoning_content }));
      case "text":
        return inPieces(part.text).map((content) => ({ content }));
      case "refusal":
        return inPieces(part.text).map((refusal) => ({ refusal }));
      case "call": {
        if (part.call.kind !== "function") throw scriptRefusal("Chat Completions here have functions only");
        index += 1;
        const id = `call_${hashOf(ask.seed, index)}`;
        const opening = { index, id, type: "function", function: { name: part.call.name, arguments: "" } } as const;
        const pieces = inPieces(part.text).map((piece) => ({ index, function: { arguments: piece } }));
        return [opening, ...pieces].map((call) => ({ tool_calls: [call] }));
      }
    }
  });
}

function finishOf(stop: Stop, hasCalls: boolean): NonNullable<Finish> {
  switch (stop) {
    case "max_tokens":
      return "length";
    case "refusal":
      return "content_filter";
    case "tool_use":
      return hasCalls ? "tool_calls" : "stop";
    case "pause_turn":
    case "model_context_window_exceeded":
      throw scriptRefusal(`Chat Completions have no stop "${stop}"`);
    default:
      return "stop";
  }
}

const usageOf = (counts: Counts) => {
  const prompt_tokens = counts.input + counts.cachedRead + counts.cacheWrite;
  return {
    prompt_tokens,
    completion_tokens: counts.output,
    total_tokens: prompt_tokens + counts.output,
    prompt_tokens_details: { cached_tokens: counts.cachedRead },
    completion_tokens_details: { reasoning_tokens: counts.reasoning },
  };
};

type Common = Pick<ChatCompletion, "id" | "created" | "model">;
type End = { readonly finish: NonNullable<Finish>; readonly usage: ReturnType<typeof usageOf> };

function wholeOf(common: Common, deltas: readonly Delta[], { finish, usage }: End): ChatCompletion {
  const calls = new Map<number, { id: string; name: string; json: string }>();
  for (const { index, id, function: called } of deltas.flatMap(({ tool_calls }) => tool_calls ?? [])) {
    const call = calls.get(index) ?? { id: id ?? "", name: called?.name ?? "", json: "" };
    calls.set(index, { ...call, json: call.json + (called?.arguments ?? "") });
  }
  const tool_calls = [...calls.values()].map(({ id, name, json }) => ({
    ...{ id, type: "function" as const },
    function: { name, arguments: json },
  }));
  const content = deltas.map((delta) => delta.content ?? "").join("");
  const refusal = deltas.map((delta) => delta.refusal ?? "").join("");
  const message = {
    role: "assistant",
    content,
    refusal: refusal || null,
    ...(tool_calls.length > 0 ? { tool_calls } : {}),
  } as const;
  return {
    ...common,
    object: "chat.completion",
    choices: [{ index: 0, finish_reason: finish, logprobs: null, message }],
    usage,
  };
}
