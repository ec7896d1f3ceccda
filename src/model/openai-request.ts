/** Transcript -> Responses API request. Pure: the same transcript gives the same bytes, or the vendor's prompt cache misses. */
import type { ResponseCreateParamsStreaming, ResponseInputItem, Tool } from "openai/resources/responses/responses";
import { z } from "zod";
import type { Observation, OpaqueState, ReplyPart, ToolCall } from "../journal.ts";
import { APPLY_PATCH_GRAMMAR } from "./apply-patch.lark.ts";
import type { ModelRequest, ToolSpec } from "./model.ts";
import { isStrictSchema } from "./openai-strict.ts";
import { safeWord, textInput, objectInput } from "./wire.ts";

/** The vendor refuses longer keys. */
const CACHE_KEY_CHARS_MAX = 64;

export function toResponseParams(
  request: ModelRequest,
  name: string,
  outputTokensMax: number,
): ResponseCreateParamsStreaming {
  return {
    model: name,
    stream: true,
    store: false,
    instructions: request.system,
    input: toInput(request, name),
    ...(request.tools.length > 0 ? { tools: request.tools.map(toTool) } : {}),
    tool_choice: "auto",
    parallel_tool_calls: true,
    max_output_tokens: Math.min(request.outputTokensMax, outputTokensMax),
    prompt_cache_key: request.cacheKey.slice(0, CACHE_KEY_CHARS_MAX),
    ...(reasons(name) ? { include: ["reasoning.encrypted_content"] } : {}),
  };
}

/** Wire name -> the name the transcript uses. */
export function toolNames(tools: readonly ToolSpec[]): ReadonlyMap<string, string> {
  return new Map(tools.map((tool) => [wireName(tool), tool.name]));
}

/** Older models answer 400 to a request for encrypted reasoning. */
function reasons(name: string): boolean {
  return !/^(gpt-[34]|chatgpt)/.test(name);
}

/** Breakpoints came with gpt-5.6; older models cache by themselves. */
function takesBreakpoints(name: string): boolean {
  return /^gpt-(5\.[6-9]|[6-9])/.test(name);
}

function wireName(tool: ToolSpec): string {
  return tool.native === "apply-patch" ? "apply_patch" : safeWord(tool.name);
}

function toTool(tool: ToolSpec): Tool {
  const { description, parameters } = tool;
  if (tool.native === "apply-patch") {
    const format = { type: "grammar", syntax: "lark", definition: APPLY_PATCH_GRAMMAR } as const;
    return { type: "custom", name: wireName(tool), description, format };
  }
  const strict = isStrictSchema(parameters);
  return { type: "function", name: wireName(tool), description, parameters: { ...parameters }, strict };
}

function toInput(request: ModelRequest, name: string): ResponseInputItem[] {
  const tools = new Map(request.tools.map((tool) => [tool.name, tool]));
  const items: ResponseInputItem[] = [];
  // The kind of an output must be the kind of its call.
  const custom = new Set<string>();
  let isFirstUser = takesBreakpoints(name);
  for (const message of request.messages) {
    switch (message.kind) {
      case "user":
        items.push(toUserItem(message.text, isFirstUser));
        isFirstUser = false;
        break;
      case "observations":
        items.push(...message.observations.map((observation) => toOutputItem(observation, custom)));
        break;
      case "model": {
        const own = readOwnItems(message.opaque, name) ?? message.parts.flatMap((part) => rebuild(part, tools));
        for (const item of own) if (item.type === "custom_tool_call") custom.add(item.call_id);
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

function toOutputItem({ callId, text }: Observation, custom: ReadonlySet<string>): ResponseInputItem {
  const call_id = safeWord(callId);
  if (custom.has(call_id)) return { type: "custom_tool_call_output", call_id, output: text };
  return { type: "function_call_output", call_id, output: text };
}

/** The one place where a vendor's shape is taken on trust: these are the items this adapter received and wrote down. */
const OwnItems = z.array(
  z.custom<ResponseInputItem>((value) => z.object({ type: z.string() }).safeParse(value).success),
);

/** Encrypted reasoning is bound to the model that reasoned, so another model's items are not sent. */
function readOwnItems(opaque: OpaqueState | null, name: string): ResponseInputItem[] | null {
  if (opaque?.provider !== "openai" || opaque.model !== name) return null;
  return OwnItems.parse(JSON.parse(z.string().parse(opaque.value)));
}

function rebuild(part: ReplyPart, tools: ReadonlyMap<string, ToolSpec>): readonly ResponseInputItem[] {
  switch (part.kind) {
    case "text":
      return [{ type: "message", role: "assistant", content: part.text }];
    case "thinking":
      return [];
    case "call":
      return [rebuildCall(part.call, tools.get(part.call.tool))];
  }
}

function rebuildCall({ id, tool, input }: ToolCall, spec: ToolSpec | undefined): ResponseInputItem {
  const call_id = safeWord(id);
  const name = spec ? wireName(spec) : safeWord(tool);
  if (spec?.native === "apply-patch") {
    return { type: "custom_tool_call", call_id, name, input: textInput(input, spec) };
  }
  return { type: "function_call", call_id, name, arguments: JSON.stringify(objectInput(input, spec)) };
}
