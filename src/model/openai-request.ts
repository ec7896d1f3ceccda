/** Transcript -> Responses API request. Pure: the same transcript gives the same bytes, or the vendor's prompt cache misses. */
import type { ResponseCreateParamsStreaming, ResponseInputItem, Tool } from "openai/resources/responses/responses";
import { z } from "zod";
import type { Image, Observation, OpaqueState, ReplyPart, ToolCall } from "../journal.ts";
import { APPLY_PATCH_GRAMMAR } from "./apply-patch.lark.ts";
import { dataUrl, describeUnseen } from "./image-tokens.ts";
import type { Message, ModelFacts, ModelRequest, Quirks, ToolSpec } from "./model.ts";
import { isStrictSchema } from "./openai-strict.ts";
import { SHELL_TOOL, shellCallIds, toShellCall, toShellOutput } from "./openai-shell.ts";
import { readOperation } from "./patch-operation.ts";
import { effortFor } from "./quirks.ts";
import { isTagged, objectInput, parseState, safeWord, textInput } from "./wire.ts";

/** The vendor refuses longer keys. */
const CACHE_KEY_CHARS_MAX = 64;

export type Asked = {
  /** The service's own of the model, or of its deployment. */
  readonly name: string;
  readonly facts: ModelFacts;
  /** Whether to ask for thoughts in words. */
  readonly summaries: boolean;
  /** Whose opaque state may go back: `name` unless another service than the vendor's own serves the model. */
  readonly boundTo?: string;
};

export function toResponseParams(request: ModelRequest, asked: Asked): ResponseCreateParamsStreaming {
  const { name, facts } = asked;
  return {
    model: name,
    stream: true,
    store: false,
    instructions: request.system,
    input: toInput(request, asked),
    ...(request.tools.length > 0 ? { tools: request.tools.map((tool) => toTool(tool, facts.quirks)) } : {}),
    tool_choice: "auto",
    parallel_tool_calls: true,
    max_output_tokens: Math.min(request.outputTokensMax, facts.outputTokensMax),
    prompt_cache_key: request.cacheKey.slice(0, CACHE_KEY_CHARS_MAX),
    ...(facts.quirks.thinks ? { include: ["reasoning.encrypted_content"] } : {}),
    ...toReasoning(request, asked),
  };
}

function toReasoning({ effort: wish }: ModelRequest, { facts, summaries }: Asked) {
  const effort = effortFor(wish, facts.quirks);
  const summary = summaries && facts.quirks.thinks ? ({ summary: "auto" } as const) : {};
  const reasoning = { ...(effort ? { effort } : {}), ...summary };
  return Object.keys(reasoning).length > 0 ? { reasoning } : {};
}

/** Wire name -> the name the transcript uses. */
export function toolNames(tools: readonly ToolSpec[]): ReadonlyMap<string, string> {
  return new Map(tools.map((tool) => [wireName(tool), tool.name]));
}

/** The vendor's own tools have no other names, and a call of them has none at all. */
function wireName(tool: ToolSpec): string {
  if (tool.native === "shell") return "shell";
  return tool.native === "apply-patch" ? "apply_patch" : safeWord(tool.name);
}

function toTool(tool: ToolSpec, { patchTool, shellTool }: Quirks): Tool {
  const { description, parameters } = tool;
  if (tool.native === "shell" && shellTool === "native") return SHELL_TOOL;
  if (tool.native === "apply-patch" && patchTool === "native") return { type: "apply_patch" };
  if (tool.native === "apply-patch" && patchTool === "grammar") {
    const format = { type: "grammar", syntax: "lark", definition: APPLY_PATCH_GRAMMAR } as const;
    return { type: "custom", name: wireName(tool), description, format };
  }
  const strict = isStrictSchema(parameters);
  return { type: "function", name: wireName(tool), description, parameters: { ...parameters }, strict };
}

function toInput(request: ModelRequest, { name, facts, boundTo = name }: Asked): ResponseInputItem[] {
  const tools = new Map(request.tools.map((tool) => [tool.name, tool]));
  const items: ResponseInputItem[] = [];
  // By the ids that observations have: the kind of an output must be the kind of its call.
  const calls = new Map<string, ResponseInputItem>();
  let isFirstUser = facts.quirks.breakpoints;
  for (const [index, message] of request.messages.entries()) {
    switch (message.kind) {
      case "user":
        items.push(toUserItem(message.text, isFirstUser));
        isFirstUser = false;
        break;
      case "observations":
        items.push(...toOutputItems(message.observations, calls, facts.quirks));
        break;
      case "model": {
        const seen = observationsOf(request.messages[index + 1]);
        const rebuilt = () => message.parts.flatMap((part) => rebuild(part, { tools, seen, quirks: facts.quirks }));
        const own = readOwnItems(message.opaque, boundTo) ?? rebuilt();
        for (const item of own) for (const id of callIds(item)) calls.set(id, item);
        items.push(...own);
      }
    }
  }
  return items;
}

/** The brief closes the stable prefix: without a breakpoint there a large prefix may miss (openai/codex#35300). */
function toUserItem(text: string, isBreakpoint: boolean): ResponseInputItem {
  const breakpoint = isBreakpoint ? { prompt_cache_breakpoint: { mode: "explicit" } as const } : {};
  return { type: "message", role: "user", content: [{ type: "input_text", text, ...breakpoint }] };
}

function callIds(item: ResponseInputItem): readonly string[] {
  if (item.type === "shell_call") return shellCallIds(item);
  return "call_id" in item ? [String(item.call_id)] : [];
}

function observationsOf(message: Message | undefined): ReadonlyMap<string, Observation> {
  const observations = message?.kind === "observations" ? message.observations : [];
  return new Map(observations.map((observation) => [observation.callId, observation]));
}

type Calls = ReadonlyMap<string, ResponseInputItem>;

/** One for each call of the vendor's, however many observations it has. */
function toOutputItems(observations: readonly Observation[], calls: Calls, quirks: Quirks): ResponseInputItem[] {
  const byCall = Map.groupBy(observations, ({ callId }) => calls.get(safeWord(callId)) ?? callId);
  return [...byCall].flatMap(([call, group]) => {
    if (typeof call === "string") return group.map((observation) => toOutputItem(observation, undefined, quirks));
    if (call.type === "shell_call") return [toShellOutput(call, group)];
    return group.map((observation) => toOutputItem(observation, call.type, quirks));
  });
}

function toOutputItem(
  { callId, text, isError, images = [] }: Observation,
  kind: ResponseInputItem["type"],
  quirks: Quirks,
): ResponseInputItem {
  const call_id = safeWord(callId);
  const isSeen = quirks.images !== null && images.length > 0;
  const output = isSeen
    ? [{ type: "input_text", text } as const, ...images.map(toImage)]
    : text + describeUnseen(images);
  switch (kind) {
    case "custom_tool_call":
      return { type: "custom_tool_call_output", call_id, output };
    case "apply_patch_call":
      return { type: "apply_patch_call_output", call_id, output: text, status: isError ? "failed" : "completed" };
    default:
      return { type: "function_call_output", call_id, output };
  }
}

/** "high" is what `ImageRule` counts by; larger images than that are not made (tools/image.ts). */
function toImage(image: Image) {
  return { type: "input_image", detail: "high", image_url: dataUrl(image) } as const;
}

/** The one place where a vendor's shape is taken on trust: these are the items this adapter received and wrote down. */
const OwnItems = z.array(z.custom<ResponseInputItem>(isTagged));

/** Encrypted reasoning is bound to the model that reasoned, so another model's items are not sent. */
function readOwnItems(opaque: OpaqueState | null, boundTo: string): ResponseInputItem[] | null {
  if (opaque?.provider !== "openai" || opaque.model !== boundTo) return null;
  return OwnItems.parse(parseState(opaque.value));
}

type Rebuilding = {
  readonly tools: ReadonlyMap<string, ToolSpec>;
  /** By the id of the call. */
  readonly seen: ReadonlyMap<string, Observation>;
  readonly quirks: Quirks;
};

function rebuild(part: ReplyPart, rebuilding: Rebuilding): readonly ResponseInputItem[] {
  switch (part.kind) {
    case "text":
      return [{ type: "message", role: "assistant", content: part.text }];
    case "thinking":
      return [];
    case "call":
      return [rebuildCall(part.call, rebuilding)];
  }
}

function rebuildCall(call: ToolCall, { tools, seen, quirks }: Rebuilding): ResponseInputItem {
  const { id, tool, input } = call;
  const spec = tools.get(tool);
  const call_id = safeWord(id);
  const name = spec ? wireName(spec) : safeWord(tool);
  if (spec?.native === "apply-patch" && quirks.patchTool === "grammar") {
    return { type: "custom_tool_call", call_id, name, input: textInput(input, spec) };
  }
  const command = spec?.native === "shell" && quirks.shellTool === "native" ? toShellCall(call, seen.get(id)) : null;
  if (command) return command;
  // The vendor's own patch tool takes one file a call, another model's patch may have had more: that stays a function's.
  const operation = quirks.patchTool === "native" ? readOperation(input) : null;
  if (operation) return { type: "apply_patch_call", call_id, operation, status: "completed" };
  return { type: "function_call", call_id, name, arguments: JSON.stringify(objectInput(input, spec)) };
}
