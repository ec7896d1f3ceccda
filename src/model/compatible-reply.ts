/** Chunks of Chat Completions -> ModelReply. Reads what the servers of that wire really send, and never a call that was cut off. */
import { z } from "zod";
import type { ReplyPart, StopReason, Usage } from "../journal.ts";
import { readChatError } from "./compatible-error.ts";
import { toAssistant, toolsByWireName } from "./compatible-request.ts";
import { readTextCalls } from "./compatible-text-calls.ts";
import { ModelError, type ModelReply, type ToolSpec } from "./model.ts";
import { readOpenAiFailure } from "./openai-fault.ts";
import { readEvent, readObject } from "./wire.ts";

export type ChatReading = {
  readonly name: string;
  readonly tools: readonly ToolSpec[];
  /** Ids that may not come again. */
  readonly takenIds: ReadonlySet<string>;
  readonly newId: () => string;
};

const text = z.string().nullish();
const ToolDelta = z.object({
  index: z.number().nullish(),
  id: text,
  // Some send the arguments as an object.
  function: z
    .object({ name: text, arguments: z.union([z.string(), z.record(z.string(), z.unknown())]).nullish() })
    .nullish(),
});
const Said = z.object({
  content: text,
  refusal: text,
  reasoning_content: text,
  reasoning: text,
  tool_calls: z.array(ToolDelta).nullish(),
});
const count = z.number().nullish();
const ChatUsage = z.object({
  prompt_tokens: count,
  completion_tokens: count,
  prompt_tokens_details: z.object({ cached_tokens: count }).nullish(),
  completion_tokens_details: z.object({ reasoning_tokens: count }).nullish(),
});
/** A chunk has `delta`; a server that does not stream sends one with `message`. */
const Chunk = z.object({
  choices: z.array(z.object({ delta: Said.nullish(), message: Said.nullish(), finish_reason: text })).nullish(),
  usage: ChatUsage.nullish(),
});
type ToolDelta = z.infer<typeof ToolDelta>;

type CallDraft = { readonly index: number | null; id: string; name: string; json: string };
type Draft = {
  content: string;
  refusal: string;
  reasoning: string;
  reasoningField: string;
  readonly calls: CallDraft[];
  finish: string | null;
  usage: z.infer<typeof ChatUsage> | null;
};

/** Usage that the server did not tell is all zeros and marked as estimated. Throws ModelError "connection" when the stream ends without its reason. */
export async function readChat(chunks: AsyncIterable<unknown>, reading: ChatReading): Promise<ModelReply> {
  const draft: Draft = {
    ...{ content: "", refusal: "", reasoning: "", reasoningField: "reasoning_content" },
    ...{ calls: [], finish: null, usage: null },
  };
  for await (const chunk of chunks) extendDraft(draft, chunk);
  if (draft.finish === null) throw new ModelError("connection", "The server's stream ended before the reply did.");
  return finish(draft, draft.finish, reading);
}

function extendDraft(draft: Draft, value: unknown): void {
  const error = readChatError(value);
  if (error) throw readOpenAiFailure(error.code, error.message, { type: error.type, vendor: "The server" });
  const { choices, usage } = readEvent(Chunk, value);
  draft.usage = usage ?? draft.usage;
  const [choice] = choices ?? [];
  if (!choice) return;
  draft.finish = choice.finish_reason || draft.finish;
  const said = choice.delta ?? choice.message;
  if (!said) return;
  draft.content += said.content ?? "";
  draft.refusal += said.refusal ?? "";
  if (said.reasoning && !said.reasoning_content) draft.reasoningField = "reasoning";
  draft.reasoning += said.reasoning_content || said.reasoning || "";
  for (const delta of said.tool_calls ?? []) extendCall(draft.calls, delta);
}

/** By index; a server without indices begins a call with its id or name. */
function extendCall(calls: CallDraft[], { index, id, function: called }: ToolDelta): void {
  const last = calls.at(-1);
  const isNew = index == null ? !last || (!!id && id !== last.id) || (!id && !!called?.name) : false;
  let call = index == null ? last : calls.find((known) => known.index === index);
  if (!call || isNew) {
    call = { index: index ?? null, id: "", name: "", json: "" };
    calls.push(call);
  }
  call.id ||= id ?? "";
  call.name ||= called?.name ?? "";
  const piece = called?.arguments;
  call.json += typeof piece === "object" && piece !== null ? JSON.stringify(piece) : (piece ?? "");
}

function finish(draft: Draft, reason: string, reading: ChatReading): ModelReply {
  const stop = readStop(reason, draft);
  const rest = { usage: readUsage(draft), isUsageEstimated: !draft.usage };
  if (stop === "refused") {
    const words = draft.refusal + draft.content;
    return { parts: words === "" ? [] : [{ kind: "text", text: words }], stop, ...rest, opaque: null };
  }
  const tools = toolsByWireName(reading.tools);
  const { parts, thought } = readParts(draft, stop, { ...reading, tools });
  const reasoning = thought === "" || draft.reasoning === "" ? null : { field: draft.reasoningField, text: thought };
  const message = toAssistant(parts, new Map(reading.tools.map((tool) => [tool.name, tool])), reasoning);
  // Text, because a store may reorder the keys of an object, and servers cache by bytes.
  const opaque = message && { provider: "compatible", model: reading.name, value: JSON.stringify(message) };
  const calls = parts.some(({ kind }) => kind === "call");
  return { parts, stop: stop === "finished" && calls ? "tool-calls" : stop, ...rest, opaque };
}

type Naming = Pick<ChatReading, "takenIds" | "newId"> & { readonly tools: ReadonlyMap<string, ToolSpec> };

function readParts(draft: Draft, stop: StopReason, naming: Naming) {
  const { thought, rest } = splitThought(draft);
  const isCut = stop === "output-limit";
  const taken = new Set(naming.takenIds);
  const toCall = (id: string, name: string, input: unknown): ReplyPart => {
    const unique = id === "" || taken.has(id) ? naming.newId() : id;
    taken.add(unique);
    return { kind: "call", call: { id: unique, tool: naming.tools.get(name)?.name ?? name, input } };
  };
  const called = draft.calls.flatMap(({ id, name, json }) => {
    const input = readObject(json === "" && !isCut ? "{}" : json);
    return isCut && !input ? [] : [toCall(id, name, input ?? json)];
  });
  const written = isCut || draft.calls.length > 0 ? { text: rest, calls: [] } : readTextCalls(rest, naming.tools);
  const parts: ReplyPart[] = [
    ...(thought === "" ? [] : [{ kind: "thinking", text: thought } as const]),
    ...(written.text.trim() === "" ? [] : [{ kind: "text", text: written.text } as const]),
    ...called,
    ...written.calls.map(({ name, input }) => toCall("", name, input)),
  ];
  return { parts, thought };
}

/** A server that does not part thoughts from words leaves them in tags; templates that open the tag send only its end. */
function splitThought({ reasoning, content }: Draft): { readonly thought: string; readonly rest: string } {
  if (reasoning !== "") return { thought: reasoning, rest: content };
  const [, thought, rest] = /^\s*(?:<think>)?([\s\S]*?)<\/think>\s*([\s\S]*)$/.exec(content) ?? [];
  if (thought !== undefined && rest !== undefined) return { thought: thought.trim(), rest };
  const [, open] = /^\s*<think>([\s\S]*)$/.exec(content) ?? [];
  return open === undefined ? { thought: "", rest: content } : { thought: open.trim(), rest: "" };
}

function readStop(reason: string, { refusal }: Draft): StopReason {
  switch (reason) {
    case "length":
      return "output-limit";
    case "content_filter":
      return "refused";
    case "error":
    case "abort": // vLLM, when its engine gave up.
      throw new ModelError("server", `The server ended its reply with "${reason}".`);
    default: // stop, tool_calls, function_call, and what servers invent.
      return refusal === "" ? "finished" : "refused";
  }
}

/** The count of the prompt holds cached tokens too. */
function readUsage({ usage }: Draft): Usage {
  const cachedRead = usage?.prompt_tokens_details?.cached_tokens ?? 0;
  return {
    input: Math.max(0, (usage?.prompt_tokens ?? 0) - cachedRead),
    cachedRead,
    cacheWrite: 0,
    output: usage?.completion_tokens ?? 0,
    reasoning: usage?.completion_tokens_details?.reasoning_tokens ?? 0,
  };
}
