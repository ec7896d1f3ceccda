/** Runs the calls of one turn: readers side by side, writers alone and in order. Each call gets exactly one observation. */
import { z } from "zod";
import type { CommandRun, FileEditReport, Observation, ToolCall } from "../journal.ts";
import { boundEdits } from "./bound-edits.ts";
import { effectOf, ToolRefusal, type Tool, type ToolResult } from "./tool.ts";
import type { Toolset } from "./toolset.ts";
import { cleanText, truncate } from "./truncate.ts";

export type CallResult = {
  readonly call: ToolCall;
  readonly observation: Observation;
  readonly wallMs: number;
  readonly command: CommandRun | null;
  /** The files that the call changed, [] for none; bounded for the journal. */
  readonly edits: readonly FileEditReport[];
};

export type Dispatching = {
  readonly signal: AbortSignal;
  readonly now: () => number;
  /** Called before a call begins, in the order of the calls: what was not called has had no effect. */
  readonly onCall?: (call: ToolCall) => Promise<void> | void;
  /** Called in the order of the calls, one at a time. */
  readonly onResult: (result: CallResult) => Promise<void> | void;
};

/** More at once only wait for each other in the sandbox. */
const READERS_MAX = 8;
/** No tool says more than this in one observation; most have a smaller limit of their own. */
const OBSERVATION_BYTES_MAX = 48 * 1024;
const ISSUES_MAX = 8;
/** Of an argument's name that is told back. */
const NAME_CHARS_MAX = 60;

/** Rejects when aborted and on defects. A call to repair is an observation, not an error. */
export async function dispatchCalls(
  toolset: Pick<Toolset, "tools">,
  calls: readonly ToolCall[],
  { signal, now, onCall, onResult }: Dispatching,
): Promise<readonly Observation[]> {
  const tools = new Map(toolset.tools.map((tool) => [tool.spec.name, tool]));
  const observations: Observation[] = [];
  for (const batch of splitCalls(calls, tools)) {
    signal.throwIfAborted();
    for (const call of batch) await onCall?.(call);
    const running = batch.map((call) => runCall(call, tools, { signal, now }));
    try {
      for (const one of running) {
        const result = await one;
        await onResult(result);
        observations.push(result.observation);
      }
    } finally {
      await Promise.allSettled(running); // Nothing of a turn goes on after it has failed.
    }
  }
  return observations;
}

type Tools = ReadonlyMap<string, Tool>;

function splitCalls(calls: readonly ToolCall[], tools: Tools): readonly (readonly ToolCall[])[] {
  const batches: ToolCall[][] = [];
  let isOpen = false;
  for (const call of calls) {
    const tool = tools.get(call.tool);
    const isReader = !tool || effectOf(tool, call.input) === "reads";
    const last = batches.at(-1);
    if (isReader && isOpen && last && last.length < READERS_MAX) last.push(call);
    else batches.push([call]);
    isOpen = isReader;
  }
  return batches;
}

async function runCall(
  call: ToolCall,
  tools: Tools,
  { signal, now }: Pick<Dispatching, "signal" | "now">,
): Promise<CallResult> {
  const startedAt = now();
  const tool = tools.get(call.tool);
  const end = ({ text, images = [], command, edits = [] }: ToolResult, isError: boolean): CallResult => {
    const told = truncate(cleanText(text), OBSERVATION_BYTES_MAX) + (tool ? noteUnknown(tool, call.input) : "");
    const shown = images.length > 0 ? { images } : {};
    const observation = { callId: call.id, text: told, isError, ...shown };
    return { call, observation, wallMs: now() - startedAt, command: command ?? null, edits: boundEdits(edits) };
  };
  try {
    if (!tool) throw new ToolRefusal(`There is no tool "${call.tool}". Tools: ${[...tools.keys()].join(", ")}.`);
    const result = await tool.run(readInput(tool, call.input), signal);
    signal.throwIfAborted();
    return end(result, false);
  } catch (error) {
    signal.throwIfAborted(); // Whatever it led to, the abort is why.
    if (error instanceof ToolRefusal) return end({ text: error.message }, true);
    throw error;
  }
}

/** The arguments as the tool wants them. Slips that leave no doubt are mended, the rest is told field by field. */
function readInput(tool: Tool, input: unknown): unknown {
  const parsed = tool.input.safeParse(input);
  if (parsed.success) return parsed.data;
  const again = tool.input.safeParse(mend(input, parsed.error));
  if (again.success) return again.data;
  if (typeof input === "string")
    throw new ToolRefusal(
      `The arguments of ${tool.spec.name} are not valid JSON; send one JSON object. ${whyNotJson(input)}`,
    );
  const issues = again.error.issues
    .slice(0, ISSUES_MAX)
    .map(({ path, message }) => `- ${path.join(".") || "arguments"}: ${message}`);
  throw new ToolRefusal(`Wrong arguments for ${tool.spec.name}, nothing was done:\n${issues.join("\n")}`);
}

/** A schema drops what it does not know, and a search that was not narrowed as asked would read like one that was. */
function noteUnknown({ spec, input: schema }: Tool, input: unknown): string {
  const given = Fields.safeParse(input);
  if (!given.success) return "";
  const known = [spec.parameters["properties"], schema.safeParse(input).data].map((one) => Fields.safeParse(one).data);
  const unknown = Object.entries(given.data)
    .filter(([name, value]) => !isEmpty(value) && known.every((fields) => fields?.[name] === undefined))
    .map(([name]) => cleanText(name).slice(0, NAME_CHARS_MAX));
  const names = unknown.slice(0, ISSUES_MAX).join(", ");
  return names === "" ? "" : `\n[not known to ${spec.name}, so without effect: ${names}]`;
}

/** Some models fill fields that they do not mean. */
function isEmpty(value: unknown): boolean {
  return value === null || value === "" || value === false || (Array.isArray(value) && value.length === 0);
}

const Fields = z.record(z.string(), z.unknown());

/** Models send null for "left out", and lists or numbers as JSON text. */
function mend(input: unknown, error: z.ZodError): unknown {
  const fields = Fields.safeParse(typeof input === "string" ? parseJson(input) : input);
  if (!fields.success) return input;
  const wrong = new Set(error.issues.map(({ path }) => path[0]));
  const entries = Object.entries(fields.data).filter(([, value]) => value !== null);
  return Object.fromEntries(
    entries.map(([name, value]) => [
      name,
      wrong.has(name) && typeof value === "string" ? (parseJson(value) ?? value) : value,
    ]),
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function whyNotJson(text: string): string {
  try {
    JSON.parse(text);
    return "";
  } catch (error) {
    return error instanceof SyntaxError ? error.message : "";
  }
}
