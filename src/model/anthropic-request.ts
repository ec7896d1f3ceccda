/** Transcript -> Messages API request. Pure: the same transcript gives the same bytes, or the vendor's prompt cache misses. */
import type {
  ContentBlockParam,
  MessageCreateParamsStreaming,
  MessageParam,
  TextBlockParam,
  ThinkingConfigParam,
  ToolResultBlockParam,
  ToolUnion,
} from "@anthropic-ai/sdk/resources/messages/messages";
import { z } from "zod";
import type { Observation, OpaqueState, ReplyPart } from "../journal.ts";
import type { Message, ModelRequest, ToolSpec } from "./model.ts";
import { objectInput, safeWord } from "./wire.ts";

type UserTurn = { readonly role: "user"; readonly content: (TextBlockParam | ToolResultBlockParam)[] };
type AssistantTurn = { readonly role: "assistant"; readonly content: ContentBlockParam[] };
type Turn = UserTurn | AssistantTurn;

const CACHE = { type: "ephemeral" } as const;

/**
 * The last breakpoint writes this turn. The one before it stands where the last request wrote, so it hits even when
 * many parallel calls put more than the vendor's look-back of 20 blocks in between. One of the four stays unused.
 */
const ROLLING_BREAKPOINTS = 2;

/** Stands for blank text, which the API refuses. */
const EMPTY = "(empty)";

export function toMessageParams(
  request: ModelRequest,
  name: string,
  outputTokensMax: number,
): MessageCreateParamsStreaming {
  const system: TextBlockParam[] = [{ type: "text", text: orEmpty(request.system), cache_control: CACHE }];
  return {
    model: name,
    max_tokens: Math.min(request.outputTokensMax, outputTokensMax),
    stream: true,
    ...(takesAdaptiveThinking(name) ? { thinking: THINKING } : {}),
    system,
    ...(request.tools.length > 0 ? { tools: request.tools.map(toTool) } : {}),
    messages: withBreakpoints(toTurns(request, name)),
  };
}

/** Wire name -> the name the transcript uses. */
export function toolNames(tools: readonly ToolSpec[]): ReadonlyMap<string, string> {
  return new Map(tools.map((tool) => [wireName(tool), tool.name]));
}

/** Summaries are asked for because the newer models else hide what they say between two calls. */
const THINKING: ThinkingConfigParam = { type: "adaptive", display: "summarized" };

/** Claude 4.5 and older answer 400 to adaptive thinking. */
function takesAdaptiveThinking(name: string): boolean {
  return !/^claude-(3|(opus|sonnet|haiku)-4(-[0-5])?(-2\d{7})?$)/.test(name);
}

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
function toTurns(request: ModelRequest, name: string): readonly Turn[] {
  const tools = new Map(request.tools.map((tool) => [tool.name, tool]));
  const turns: Turn[] = [];
  for (const message of request.messages) {
    const turn = toTurn(message, tools, name);
    const last = turns.at(-1);
    if (turn.content.length === 0) continue;
    if (last?.role === "user" && turn.role === "user") last.content.push(...turn.content);
    else turns.push(turn);
  }
  return turns;
}

function toTurn(message: Message, tools: ReadonlyMap<string, ToolSpec>, name: string): Turn {
  switch (message.kind) {
    case "user":
      return { role: "user", content: [{ type: "text", text: orEmpty(message.text) }] };
    case "observations":
      return { role: "user", content: message.observations.map(toToolResult) };
    case "model":
      return {
        role: "assistant",
        content: readOwnBlocks(message.opaque, name) ?? message.parts.flatMap((part) => rebuild(part, tools)),
      };
  }
}

function toToolResult({ callId, text, isError }: Observation): ToolResultBlockParam {
  return { type: "tool_result", tool_use_id: safeWord(callId), content: orEmpty(text), is_error: isError };
}

/**
 * The one place where a vendor's shape is taken on trust: these are the blocks this adapter received and wrote down.
 * Thinking is bound to the model that thought, so another model's blocks are not sent.
 */
const OwnBlocks = z.array(
  z.custom<ContentBlockParam>((value) => z.object({ type: z.string() }).safeParse(value).success),
);

function readOwnBlocks(opaque: OpaqueState | null, name: string): ContentBlockParam[] | null {
  if (opaque?.provider !== "anthropic" || opaque.model !== name) return null;
  return OwnBlocks.parse(JSON.parse(z.string().parse(opaque.value)));
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

function withBreakpoints(turns: readonly Turn[]): MessageParam[] {
  const users = turns.filter((turn) => turn.role === "user");
  const marked = new Set(users.slice(-ROLLING_BREAKPOINTS));
  return turns.map((turn) => {
    if (turn.role === "assistant" || !marked.has(turn)) return turn;
    const last = turn.content.at(-1);
    return last ? { ...turn, content: [...turn.content.slice(0, -1), { ...last, cache_control: CACHE }] } : turn;
  });
}
