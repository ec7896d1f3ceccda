/** Transcript -> Chat Completions request. Only what every server of that wire takes: the strictest chat template is the measure. */
import type {
  ChatCompletionAssistantMessageParam,
  ChatCompletionCreateParamsStreaming,
  ChatCompletionMessageParam,
  ChatCompletionTool,
  ChatCompletionUserMessageParam,
} from "openai/resources/chat/completions";
import { z } from "zod";
import type { OpaqueState, ReplyPart } from "../journal.ts";
import { dataUrl, describeUnseen } from "./image-tokens.ts";
import type { Message, ModelFacts, ModelRequest, ToolSpec } from "./model.ts";
import { objectInput, parseState, safeWord } from "./wire.ts";

type Asked = { readonly name: string; readonly facts: ModelFacts };

/** `max_tokens` is the name all servers know, and the usage in the last chunk comes for the asking. */
export function toChatParams(request: ModelRequest, { name, facts }: Asked): ChatCompletionCreateParamsStreaming {
  return {
    model: name,
    messages: [{ role: "system", content: request.system }, ...toMessages(request, { name, facts })],
    ...(request.tools.length > 0 ? { tools: request.tools.map(toTool) } : {}),
    max_tokens: Math.min(request.outputTokensMax, facts.outputTokensMax),
    stream: true,
    stream_options: { include_usage: true },
  };
}

/** Wire name -> the tool. */
export function toolsByWireName(tools: readonly ToolSpec[]): ReadonlyMap<string, ToolSpec> {
  return new Map(tools.map((tool) => [safeWord(tool.name), tool]));
}

/** The ids of all calls so far: servers that count from zero in each reply repeat theirs. */
export function callIdsOf(messages: readonly Message[]): ReadonlySet<string> {
  const parts = messages.flatMap((message) => (message.kind === "model" ? message.parts : []));
  return new Set(parts.flatMap((part) => (part.kind === "call" ? [part.call.id] : [])));
}

/**
 * A reply as it goes back. Servers parse the arguments of old calls, so they are always JSON; `reasoning` goes back under the name
 * it came by, to a server that has shown that it knows it.
 */
export function toAssistant(
  parts: readonly ReplyPart[],
  tools: ReadonlyMap<string, ToolSpec>,
  reasoning: { readonly field: string; readonly text: string } | null = null,
): ChatCompletionAssistantMessageParam | null {
  const text = parts.flatMap((part) => (part.kind === "text" ? [part.text] : [])).join("\n\n");
  const tool_calls = parts.flatMap((part) => {
    if (part.kind !== "call") return [];
    const { id, tool, input } = part.call;
    const call = { name: safeWord(tool), arguments: JSON.stringify(objectInput(input, tools.get(tool))) };
    return [{ id: safeWord(id), type: "function" as const, function: call }];
  });
  if (text.trim() === "" && tool_calls.length === 0) return null;
  // Templates join strings, so content is never null.
  const thought = reasoning ? { [reasoning.field]: reasoning.text } : {};
  return { role: "assistant", ...thought, content: text, ...(tool_calls.length > 0 ? { tool_calls } : {}) };
}

function toTool({ name, description, parameters }: ToolSpec): ChatCompletionTool {
  return { type: "function", function: { name: safeWord(name), description, parameters: { ...parameters } } };
}

function toMessages(request: ModelRequest, { name, facts }: Asked): readonly ChatCompletionMessageParam[] {
  const tools = new Map(request.tools.map((tool) => [tool.name, tool]));
  const messages: ChatCompletionMessageParam[] = [];
  for (const message of request.messages) {
    const last = messages.at(-1);
    switch (message.kind) {
      case "user":
        // Templates of Mistral's and Google's models refuse two user messages in a row.
        if (last?.role === "user")
          messages.splice(-1, 1, { role: "user", content: joinText(last.content, message.text) });
        else messages.push({ role: "user", content: message.text });
        break;
      case "observations":
        messages.push(...toResults(message, facts.quirks.images !== null));
        break;
      case "model": {
        const said = readOwnMessage(message.opaque, name) ?? toAssistant(message.parts, tools);
        if (said) messages.push(said);
      }
    }
  }
  return messages;
}

/** A result is text on this wire, so images come after all of them, as if the user showed them. */
function toResults({ observations }: Extract<Message, { kind: "observations" }>, sees: boolean) {
  const results = observations.map(({ callId, text, images }): ChatCompletionMessageParam => {
    const content = sees ? text : text + describeUnseen(images);
    return { role: "tool", tool_call_id: safeWord(callId), content };
  });
  const shown = sees ? observations.flatMap(({ images = [] }) => images) : [];
  if (shown.length === 0) return results;
  const parts = shown.map((image) => ({ type: "image_url", image_url: { url: dataUrl(image) } }) as const);
  const content = [{ type: "text", text: "What the calls showed, in their order:" } as const, ...parts];
  return [...results, { role: "user", content } as const];
}

function joinText(content: ChatCompletionUserMessageParam["content"], text: string) {
  return typeof content === "string" ? `${content}\n\n${text}` : [...content, { type: "text", text } as const];
}

/** The one place where a message is taken on trust: this adapter wrote it down as it wants to send it. */
const Spoken = z.object({ role: z.literal("assistant") });
const OwnMessage = z.custom<ChatCompletionAssistantMessageParam>((value) => Spoken.safeParse(value).success);

function readOwnMessage(opaque: OpaqueState | null, name: string): ChatCompletionAssistantMessageParam | null {
  if (opaque?.provider !== "compatible" || opaque.model !== name) return null;
  return OwnMessage.safeParse(parseState(opaque.value)).data ?? null;
}
