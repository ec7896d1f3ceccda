/** Transcript -> Messages API request. Pure: the same transcript gives the same bytes, or the vendor's prompt cache misses. */
import type {
  ContentBlockParam,
  ImageBlockParam,
  MessageCreateParamsStreaming,
  TextBlockParam,
  ThinkingConfigParam,
  ToolResultBlockParam,
  ToolUnion,
} from "@anthropic-ai/sdk/resources/messages/messages";
import { z } from "zod";
import type { Image, Observation, OpaqueState, ReplyPart } from "../journal.ts";
import { CACHE, withBreakpoints, type Turn } from "./anthropic-breakpoints.ts";
import { describeUnseen } from "./image-tokens.ts";
import type { Message, ModelFacts, ModelRequest, ToolSpec } from "./model.ts";
import { effortFor } from "./quirks.ts";
import { isTagged, objectInput, parseState, safeWord } from "./wire.ts";

/** Stands for blank text, which the API refuses. */
const EMPTY = "(empty)";

export type Asked = {
  /** As the service calls the model. */
  readonly name: string;
  readonly facts: ModelFacts;
  /** Only Anthropic itself tells why its cache missed. */
  readonly asksWhyMissed: boolean;
  /** Whose opaque state may go back: `name` unless another service than the vendor's own serves the model. */
  readonly boundTo?: string;
};

export function toMessageParams(request: ModelRequest, asked: Asked): MessageCreateParamsStreaming {
  const { name, facts, asksWhyMissed, boundTo = name } = asked;
  const system: TextBlockParam[] = [{ type: "text", text: orEmpty(request.system), cache_control: CACHE }];
  const effort = effortFor(request.effort, facts.quirks);
  return {
    model: name,
    max_tokens: Math.min(request.outputTokensMax, facts.outputTokensMax),
    stream: true,
    ...(facts.quirks.thinks ? { thinking: THINKING } : {}),
    ...(effort ? { output_config: { effort } } : {}),
    ...(asksWhyMissed ? { diagnostics: { previous_message_id: lastOwnId(request.messages, boundTo) } } : {}),
    system,
    ...(request.tools.length > 0 ? { tools: request.tools.map(toTool) } : {}),
    messages: withBreakpoints(toTurns(request, asked)),
  };
}

/** Wire name -> the name the transcript uses. */
export function toolNames(tools: readonly ToolSpec[]): ReadonlyMap<string, string> {
  return new Map(tools.map((tool) => [wireName(tool), tool.name]));
}

/** Summaries are asked for because the newer models else hide what they say between two calls. */
const THINKING: ThinkingConfigParam = { type: "adaptive", display: "summarized" };

function wireName(tool: ToolSpec): string {
  if (tool.native === "shell") return "bash";
  if (tool.native === "text-editor") return "str_replace_based_edit_tool";
  return safeWord(tool.name);
}

function toTool(tool: ToolSpec): ToolUnion {
  if (tool.native === "shell") return { type: "bash_20250124", name: "bash" };
  if (tool.native === "text-editor") return { type: "text_editor_20250728", name: "str_replace_based_edit_tool" };
  const input_schema = { ...tool.parameters, type: "object" } as const;
  return { type: "custom", name: wireName(tool), description: tool.description, input_schema };
}

/** The vendor wants a turn's tool results and the text after them in one message. Its own turns it joins itself. */
function toTurns(request: ModelRequest, asked: Asked): readonly Turn[] {
  const tools = new Map(request.tools.map((tool) => [tool.name, tool]));
  const turns: Turn[] = [];
  for (const message of request.messages) {
    const turn = toTurn(message, tools, asked);
    const last = turns.at(-1);
    if (turn.content.length === 0) continue;
    if (last?.role === "user" && turn.role === "user") last.content.push(...turn.content);
    else turns.push(turn);
  }
  return turns;
}

function toTurn(message: Message, tools: ReadonlyMap<string, ToolSpec>, asked: Asked): Turn {
  switch (message.kind) {
    case "user":
      return { role: "user", content: [{ type: "text", text: orEmpty(message.text) }] };
    case "observations":
      return { role: "user", content: message.observations.map((one) => toToolResult(one, asked.facts)) };
    case "model":
      return {
        role: "assistant",
        content:
          readOwn(message.opaque, asked.boundTo ?? asked.name)?.blocks ??
          message.parts.flatMap((part) => rebuild(part, tools)),
      };
  }
}

/** The vendor takes images in the result of a call that worked only. */
function toToolResult({ callId, text, isError, images = [] }: Observation, facts: ModelFacts): ToolResultBlockParam {
  const isSeen = facts.quirks.images !== null && !isError && images.length > 0;
  const content = isSeen
    ? [{ type: "text", text: orEmpty(text) } as const, ...images.map(toImage)]
    : orEmpty(text + describeUnseen(images));
  return { type: "tool_result", tool_use_id: safeWord(callId), content, ...(isError ? { is_error: true } : {}) };
}

function toImage({ mediaType, base64 }: Image): ImageBlockParam {
  return { type: "image", source: { type: "base64", media_type: mediaType, data: base64 } };
}

/**
 * The one place where a vendor's shape is taken on trust: these are the blocks this adapter received and wrote down.
 * Thinking is bound to the model that thought, so another model's blocks are not sent.
 */
const OwnState = z.object({
  id: z.string().nullable(),
  blocks: z.array(z.custom<ContentBlockParam>(isTagged)),
});

function readOwn(opaque: OpaqueState | null, boundTo: string): z.infer<typeof OwnState> | null {
  if (opaque?.provider !== "anthropic" || opaque.model !== boundTo) return null;
  // Another release may have written another shape: then the turn is rebuilt from its parts.
  return OwnState.safeParse(parseState(opaque.value)).data ?? null;
}

/** Null is the vendor's word for a first request. */
function lastOwnId(messages: readonly Message[], boundTo: string): string | null {
  const last = messages.findLast((message) => message.kind === "model");
  return last?.kind === "model" ? (readOwn(last.opaque, boundTo)?.id ?? null) : null;
}

function orEmpty(text: string): string {
  return text.trim() === "" ? EMPTY : text;
}

/** Without thinking: it has no signature this model would accept. */
function rebuild(part: ReplyPart, tools: ReadonlyMap<string, ToolSpec>): readonly ContentBlockParam[] {
  switch (part.kind) {
    case "text":
      return part.text.trim() === "" ? [] : [{ type: "text", text: part.text }];
    case "thinking":
      return [];
    case "call": {
      const { id, tool, input } = part.call;
      const spec = tools.get(tool);
      const name = spec ? wireName(spec) : safeWord(tool);
      return [{ type: "tool_use", id: safeWord(id), name, input: objectInput(input, spec) }];
    }
  }
}
