/**
 * What a request of any of the three wires holds, read leniently: each harness has its own dialect, and nothing here refuses any.
 * Segments stand in the order in which vendors cache them: tools, system prompt, messages.
 */
import { z } from "zod";
import type { Ask, Segment } from "../../sim/models/ask.ts";
import { hashOf } from "../../sim/models/seal.ts";

export type WireName = "anthropic" | "responses" | "chat";

export type Tool = {
  readonly name: string;
  readonly properties: Readonly<Record<string, unknown>>;
  readonly required: readonly string[];
};

export type Prompt = {
  readonly wire: WireName;
  readonly model: string;
  readonly stream: boolean;
  readonly cacheKey: string;
  readonly tools: readonly Tool[];
  /** Tool calls the model has already made: the number of the turn. */
  readonly calls: number;
  readonly segments: readonly Segment[];
  /** How many of the segments are tools or system prompt. */
  readonly fixed: number;
};

const Loose = z.record(z.string(), z.unknown());
type Loose = z.infer<typeof Loose>;

const List = z.array(z.unknown()).catch([]);

export function readPrompt(wire: WireName, body: unknown): Prompt {
  const request = Loose.parse(body);
  const tools = List.parse(request["tools"]);
  const { system, said } = wire === "responses" ? readInput(request) : readMessages(request);
  const segments = [...tools, ...system, ...said].map(toSegment);
  return {
    ...{ wire, segments, fixed: tools.length + system.length },
    model: String(request["model"]),
    stream: request["stream"] === true,
    cacheKey: String(request["prompt_cache_key"] ?? ""),
    tools: tools.flatMap(readTool),
    calls: said.reduce<number>((sum, part) => sum + countCalls(part), 0),
  };
}

type Said = { readonly system: readonly unknown[]; readonly said: readonly unknown[] };

function readInput(request: Loose): Said {
  const instructions = typeof request["instructions"] === "string" ? [request["instructions"]] : [];
  const items = List.parse(request["input"]).map(withoutId);
  // codex writes its system prompt as developer messages, and for its newest models the tools too.
  const first = items.findIndex((item) => !isLoose(item) || !isInstruction(item));
  return { system: [...instructions, ...items.slice(0, first)], said: items.slice(first) };
}

/** The model does not read the id of an item, which is another in each session. */
function withoutId(item: unknown): unknown {
  if (!isLoose(item)) return item;
  const { id: _id, ...rest } = item;
  return rest;
}

/** Anthropic caches block by block, so each block is a segment. */
function readMessages(request: Loose): Said {
  const system = blocksOf(request["system"]);
  const messages = List.parse(request["messages"]).map((message) => Loose.parse(message));
  const leading = messages.findIndex((message) => !isInstruction(message));
  const blocks = messages.map((message) => {
    const { content, ...rest } = message;
    const own = blocksOf(content).map((block) => ({ ...rest, ...(isLoose(block) ? block : { content: block }) }));
    return own.length > 0 ? own : [rest];
  });
  return { system: [...system, ...blocks.slice(0, leading).flat()], said: blocks.slice(leading).flat() };
}

function blocksOf(content: unknown): readonly unknown[] {
  if (content === undefined || content === null) return [];
  return Array.isArray(content) ? content : [content];
}

function isInstruction({ role }: Loose): boolean {
  return role === "system" || role === "developer";
}

function isLoose(value: unknown): value is Loose {
  return Loose.safeParse(value).success;
}

/** A cache mark is no part of what the model reads. */
function toSegment(part: unknown): Segment {
  if (!isLoose(part)) return { text: JSON.stringify(part), breakpoint: false };
  const { cache_control: mark, ...rest } = part;
  return { text: JSON.stringify(rest), breakpoint: mark !== undefined };
}

function countCalls(part: unknown): number {
  if (!isLoose(part)) return 0;
  const isCall = ["tool_use", "function_call", "custom_tool_call", "local_shell_call"].includes(String(part["type"]));
  return (isCall ? 1 : 0) + List.parse(part["tool_calls"]).length;
}

function readTool(declared: unknown): Tool[] {
  if (!isLoose(declared)) return [];
  const tool = isLoose(declared["function"]) ? declared["function"] : declared;
  if (String(tool["type"]).startsWith("bash_")) return [{ name: "bash", properties: { command: {} }, required: [] }];
  const schema = Loose.catch({}).parse(tool["input_schema"] ?? tool["parameters"]);
  const required = z.array(z.string()).catch([]).parse(schema["required"]);
  return [{ name: String(tool["name"]), properties: Loose.catch({}).parse(schema["properties"]), required }];
}

/** As sim/models knows a request, for its prompt cache and its answers. */
export function toAsk(prompt: Prompt): Ask {
  return {
    ...{ model: prompt.model, stream: prompt.stream, cacheKey: prompt.cacheKey, segments: prompt.segments },
    ...{ text: "", turn: prompt.calls, endsWithModel: false, tools: [] },
    ...{ seed: hashOf(prompt.segments.length, prompt.calls), thinking: "off", wantsEncrypted: false, body: {} },
  };
}
