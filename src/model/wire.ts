/** What the two adapters share on their way to a wire: names, tool inputs and headers. Knows no vendor. */
import { z } from "zod";
import type { ReplyPart, Usage } from "../journal.ts";
import { ModelError, type RateLeft, type ToolSpec } from "./model.ts";
import { readOperation, toPatchText } from "./patch-operation.ts";

/** Both vendors refuse other characters or more of them in tool names and call ids; models of the other one may have used them. */
export function safeWord(word: string): string {
  return word.replaceAll(/[^a-zA-Z0-9_-]/g, "_").slice(0, 64);
}

// Schemas are made once: zod compiles each at its first use, which costs more than a thousand uses.
const AnyRecord = z.record(z.string(), z.unknown());
const OneName = z.array(z.string()).length(1);
const Tagged = z.object({ type: z.string() });
const Text = z.string();

/** For `z.custom`: a vendor's block, item or part, of which only its kind is looked at. */
export function isTagged(value: unknown): boolean {
  return Tagged.safeParse(value).success;
}

/** What an adapter wrote down as text, as JSON again. */
export function parseState(value: unknown): unknown {
  return JSON.parse(Text.parse(value));
}

/** A JSON object, or null when the text is none: cut off, malformed, or another kind of value. */
export function readObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const parsed = AnyRecord.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** The object a vendor wants where the transcript has the raw text of a free-form tool. */
export function objectInput(input: unknown, tool: ToolSpec | undefined): Readonly<Record<string, unknown>> {
  const operation = tool?.native === "apply-patch" ? readOperation(input) : null;
  if (operation) return { [textProperty(tool)]: toPatchText(operation) };
  const parsed = AnyRecord.safeParse(input);
  return parsed.success ? parsed.data : { [textProperty(tool)]: input };
}

/** The raw text a free-form tool wants where the transcript has an object. */
export function textInput(input: unknown, tool: ToolSpec | undefined): string {
  if (typeof input === "string") return input;
  const operation = tool?.native === "apply-patch" ? readOperation(input) : null;
  if (operation) return toPatchText(operation);
  const parsed = AnyRecord.safeParse(input);
  const text = parsed.success ? parsed.data[textProperty(tool)] : undefined;
  return typeof text === "string" ? text : JSON.stringify(input);
}

/** A tool with one required property takes the text there. */
function textProperty(tool: ToolSpec | undefined): string {
  const required = OneName.safeParse(tool?.parameters["required"]);
  return required.data?.[0] ?? "input";
}

/** Parses an event at the door. A vendor that sends another shape has failed us, and asking again may help. */
export function readEvent<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new ModelError("server", `The model's stream held an event we cannot read: ${z.prettifyError(parsed.error)}`);
}

/** `retry-after-ms`, else `retry-after` (RFC 9110) in seconds or as a date, as proxies send it, by the clock of the sender's `date`. */
export function readRetryAfterMs(headers: Headers | undefined): number | null {
  const ms = Number.parseFloat(headers?.get("retry-after-ms") ?? "");
  if (ms >= 0) return Math.ceil(ms);
  const after = headers?.get("retry-after") ?? "";
  const seconds = Number.parseFloat(after);
  if (seconds >= 0) return Math.ceil(seconds * 1000);
  const waitMs = Date.parse(after) - Date.parse(headers?.get("date") ?? "");
  return waitMs >= 0 ? waitMs : null;
}

/** Two headers with whole numbers, or null when the vendor sent none. */
export function readRateLeft(headers: Headers | undefined, limitName: string, remainingName: string): RateLeft | null {
  const limit = Number.parseInt(headers?.get(limitName) ?? "", 10);
  const remaining = Number.parseInt(headers?.get(remainingName) ?? "", 10);
  return limit > 0 && remaining >= 0 ? { limit, remaining } : null;
}

/** English and code in the tokenizers of today; on the low side for other scripts. */
const BYTES_PER_TOKEN = 4;

/** An image of a common size, by the formulas of the vendors; its base64 says nothing about its weight. */
const IMAGE_TOKENS = 1_500;
const IMAGE_FILLER = "x".repeat(IMAGE_TOKENS * BYTES_PER_TOKEN);

function shrinkImage(_: string, value: unknown): unknown {
  return typeof value === "string" && value.startsWith("data:image/") ? IMAGE_FILLER : value;
}

/** For a server that tells no usage: a reply that cost nothing would never meet a limit. */
export function estimateUsage(params: object, parts: readonly ReplyPart[]): Usage {
  const tokens = (value: unknown) => Math.ceil(Buffer.byteLength(JSON.stringify(value, shrinkImage)) / BYTES_PER_TOKEN);
  const thoughts = parts.filter(({ kind }) => kind === "thinking");
  return { input: tokens(params), cachedRead: 0, cacheWrite: 0, output: tokens(parts), reasoning: tokens(thoughts) };
}
