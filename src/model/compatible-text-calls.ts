/**
 * Tool calls that a model wrote into its text, because its server does not know its way of calling. Pure. A call counts only when
 * every one of the text names a known tool with whole JSON, and when nothing is said after the last: what is merely quoted is text.
 */
import { z } from "zod";
import type { ToolSpec } from "./model.ts";
import { readObject } from "./wire.ts";

export type TextCall = { readonly name: string; readonly input: Readonly<Record<string, unknown>> };
export type TextReading = { readonly text: string; readonly calls: readonly TextCall[] };

type Tools = ReadonlyMap<string, ToolSpec>;
/** Calls, or null for what looked like some and was none. */
type ReadCalls = (body: string, tools: Tools) => readonly TextCall[] | null;

/** Each form: how its first sign is found, and how all from there to the end is read. Sources are the models' own chat templates. */
const FORMS: readonly { readonly sign: RegExp; readonly read: ReadCalls }[] = [
  // Qwen 3 Coder: <tool_call><function=NAME><parameter=KEY>VALUE</parameter></function></tool_call>, the outer tag at will.
  { sign: /(<tool_call>\s*)?<function=/, read: (body, tools) => readEach(body, XML_CALL, readXmlCall, tools) },
  // Hermes and Qwen: <tool_call>{"name": ..., "arguments": {...}}</tool_call>
  {
    sign: /<tool_call>/,
    read: (body, tools) => readEach(body, /<tool_call>([\s\S]*?)<\/tool_call>/g, readJsonCall, tools),
  },
  // Mistral: [TOOL_CALLS][{...}, {...}], since 2025 [TOOL_CALLS]NAME[ARGS]{...}
  { sign: /\[TOOL_CALLS\]/, read: readMistral },
  // Llama: <|python_tag|>{...}; {...}, Llama 4: <|python_start|>{...}<|python_end|>
  { sign: /<\|python_(tag|start)\|>/, read: readLlama },
  {
    sign: /```(json|tool_call|tool_code)?\s*\n\s*[{[]/,
    read: (body, tools) => readEach(body, FENCE, readJsonCalls, tools),
  },
  { sign: /^\s*[{[]/, read: (body, tools) => readJsonCalls(body, tools) },
];

const XML_CALL = /(?:<tool_call>\s*)?<function=([^>\s]+)>([\s\S]*?)<\/function>(?:\s*<\/tool_call>)?/g;
const FENCE = /```(?:json|tool_call|tool_code)?\s*\n([\s\S]*?)```/g;

/** `said` must be whole: of a reply that was cut off nothing may be read. */
export function readTextCalls(said: string, tools: Tools): TextReading {
  if (tools.size === 0) return { text: said, calls: [] };
  for (const { sign, read } of FORMS) {
    const start = said.search(sign);
    if (start === -1) continue;
    const calls = read(said.slice(start), tools);
    if (calls && calls.length > 0) return { text: said.slice(0, start).trimEnd(), calls };
  }
  return { text: said, calls: [] };
}

type ReadOne = (match: string, tools: Tools, rest: string) => readonly TextCall[] | null;

/** All matches of a pattern, with nothing but space between and after them. */
function readEach(body: string, pattern: RegExp, read: ReadOne, tools: Tools): readonly TextCall[] | null {
  const between = body.replaceAll(pattern, "");
  if (between.trim() !== "") return null;
  const found = [...body.matchAll(pattern)].map((match) => read(match[1] ?? "", tools, match[2] ?? ""));
  return found.every((calls) => calls !== null) ? found.flat() : null;
}

function readMistral(body: string, tools: Tools): readonly TextCall[] | null {
  const pieces = body.split("[TOOL_CALLS]").slice(1);
  const found = pieces.map((piece) => {
    const [, name, json] =
      /^\s*([\w.-]+)\s*(?:\[CALL_ID\]\s*\w+\s*)?(?:\[ARGS\])?\s*(\{[\s\S]*\})\s*$/.exec(piece) ?? [];
    if (name === undefined || json === undefined) return readJsonCalls(piece, tools);
    const input = readObject(json);
    return input && tools.has(name) ? [{ name, input }] : null;
  });
  return found.every((calls) => calls !== null) ? found.flat() : null;
}

function readLlama(body: string, tools: Tools): readonly TextCall[] | null {
  const inner = body.replaceAll(/<\|(python_tag|python_start|python_end|eom_id|eot_id|eot)\|>/g, "").trim();
  const whole = readJsonCalls(inner, tools);
  if (whole) return whole;
  // Several are parted by semicolons, which may stand inside a string too; only whole objects count.
  const found = inner.split(/(?<=\})\s*;\s*(?=\{)/).map((piece) => readJsonCall(piece, tools));
  return found.every((calls) => calls !== null) ? found.flat() : null;
}

const Called = z.looseObject({
  name: z.string(),
  arguments: z.unknown().optional(),
  parameters: z.unknown().optional(),
});

function readJsonCall(json: string, tools: Tools): readonly TextCall[] | null {
  const called = Called.safeParse(readObject(json.trim())).data;
  return called ? toCall(called, tools) : null;
}

/** One call, or a list of them. */
function readJsonCalls(json: string, tools: Tools): readonly TextCall[] | null {
  const inner = json.trim();
  if (!inner.startsWith("[")) return readJsonCall(inner, tools);
  const list = z
    .array(Called)
    .min(1)
    .safeParse(readObject(`{"calls":${inner}}`)?.["calls"]).data;
  const found = list?.map((called) => toCall(called, tools)) ?? [null];
  return found.every((calls) => calls !== null) ? found.flat() : null;
}

/** Arguments may be JSON within JSON. A call without any is none: too much JSON has a "name". */
function toCall(called: z.infer<typeof Called>, tools: Tools): readonly TextCall[] | null {
  const given = called.arguments ?? called.parameters;
  const input = typeof given === "string" ? readObject(given) : z.record(z.string(), z.unknown()).safeParse(given).data;
  return input && tools.has(called.name) ? [{ name: called.name, input }] : null;
}

const Typed = z.looseObject({ type: z.unknown().optional() });

/** Values are bare text; what the schema does not call a string is JSON. */
function readXmlCall(name: string, tools: Tools, body: string): readonly TextCall[] | null {
  const tool = tools.get(name);
  if (!tool) return null;
  if (body.trim().startsWith("{")) {
    const input = readObject(body.trim());
    return input ? [{ name, input }] : null;
  }
  const pattern = /<parameter=([^>\s]+)>\n?([\s\S]*?)\n?<\/parameter>/g;
  if (body.replaceAll(pattern, "").trim() !== "") return null;
  const properties = z.record(z.string(), Typed).safeParse(tool.parameters["properties"]).data ?? {};
  const input: Record<string, unknown> = {};
  for (const [, key = "", value = ""] of body.matchAll(pattern)) {
    const isText = [properties[key]?.type ?? "string"].flat().includes("string");
    const parsed = isText ? { value } : readObject(`{"value":${value}}`);
    if (!parsed) return null;
    input[key] = parsed["value"];
  }
  return [{ name, input }];
}
