/**
 * The script the stand-in plays: what the model says and does, turn by turn, in verbs that belong to no vendor.
 * Parsed once; a mistake in a script is an error at start, never a strange reply.
 */
import { z } from "zod";

const tokens = z.int().nonnegative();

/** `input` is what was neither read from nor written to a cache, as in the product's own ledger. */
const usage = z.strictObject({
  input: tokens.optional(),
  cachedRead: tokens.optional(),
  cacheWrite: tokens.optional(),
  output: tokens.optional(),
  reasoning: tokens.optional(),
});

const action = z.discriminatedUnion("do", [
  z.strictObject({ do: z.literal("shell"), command: z.string().min(1) }),
  /** One call of OpenAI's own shell tool, with what its model wishes; other tools take a command a call, and no wishes. */
  z.strictObject({
    do: z.literal("commands"),
    commands: z.array(z.string()),
    timeoutMs: z.int().optional(),
    outputLengthMax: z.int().optional(),
  }),
  /** `old` and `new` are blocks of whole lines, so that they can become a patch as well as a string replacement. */
  z.strictObject({ do: z.literal("edit"), path: z.string().min(1), old: z.string().min(1), new: z.string() }),
  z.strictObject({ do: z.literal("create"), path: z.string().min(1), text: z.string() }),
  z.strictObject({ do: z.literal("view"), path: z.string().min(1) }),
  /** Verbatim: an object for a function tool, a string for a free-form one. The tool need not be declared. */
  z.strictObject({
    do: z.literal("call"),
    tool: z.string().min(1),
    input: z.union([z.record(z.string(), z.unknown()), z.string()]),
  }),
]);

/** How many requests of this turn it spoils; the next one gets the turn as written. */
const times = z.int().positive().default(1);
const afterEvents = z.int().nonnegative();

const fault = z.discriminatedUnion("kind", [
  /** `retryAfter` is in seconds, as in the header. `code` is OpenAI's, `detailsCode` Anthropic's `error.details.error_code`. */
  z.strictObject({
    kind: z.literal("status"),
    status: z.int().min(400).max(599),
    type: z.string().optional(),
    code: z.string().optional(),
    detailsCode: z.string().optional(),
    message: z.string().optional(),
    retryAfter: z.number().nonnegative().optional(),
    /** Whose way of writing errors, on the wire of Chat Completions. */
    shape: z.enum(["openai", "vllm", "ollama", "fastapi", "html"]).optional(),
    times,
  }),
  z.strictObject({ kind: z.literal("stall"), afterEvents: afterEvents.default(3), times }),
  z.strictObject({ kind: z.literal("drop"), afterEvents: afterEvents.default(3), times }),
  /** On OpenAI's wire `shape` picks between an `error` event and `response.failed`. */
  z.strictObject({
    kind: z.literal("error-event"),
    type: z.string().default("overloaded_error"),
    message: z.string().default("Overloaded"),
    shape: z.enum(["error", "failed"]).default("error"),
    afterEvents: afterEvents.default(1),
    times,
  }),
  z.strictObject({ kind: z.literal("truncate"), times }),
  z.strictObject({ kind: z.literal("max-tokens"), times }),
  z.strictObject({ kind: z.literal("malformed-input"), times }),
  z.strictObject({ kind: z.literal("refusal"), times }),
  z.strictObject({ kind: z.literal("unknown-event"), times }),
  z.strictObject({ kind: z.literal("empty"), times }),
  /** In a batch only: it ended without this request. */
  z.strictObject({ kind: z.literal("unanswered"), how: z.enum(["expired", "canceled"]), times }),
]);

const stop = z.enum([
  "end_turn",
  "tool_use",
  "max_tokens",
  "stop_sequence",
  "pause_turn",
  "refusal",
  "model_context_window_exceeded",
]);

const callsAs = z.enum(["hermes", "qwen", "mistral", "llama", "fenced", "bare"]);

const turn = z.strictObject({
  thinking: z.string().min(1).optional(),
  text: z.string().min(1).optional(),
  do: z.array(action).optional(),
  usage: usage.optional(),
  /** In Anthropic's words; OpenAI's wire gets what is nearest. */
  stop: stop.optional(),
  fault: fault.optional(),
  /** On the wire of Chat Completions: calls stand in the text, as the named models write them; and no usage is told. */
  callsAs: callsAs.optional(),
  withoutUsage: z.boolean().optional(),
  /** Sent with the reply, as a vendor tells what is left of a rate limit. */
  headers: z.record(z.string(), z.string()).optional(),
  /** Before the first byte, and between two events. */
  delayMs: z.int().nonnegative().optional(),
  chunkDelayMs: z.int().nonnegative().optional(),
});

const conversation = z.strictObject({
  name: z.string().min(1),
  /** All must occur in the system prompt or what users said. The first conversation that matches is played. */
  match: z.union([z.string(), z.array(z.string())]).default([]),
  turns: z.array(turn),
  /**
   * What counts as the turn: the model's messages in the request (a resumed or repeated one gets the same reply), or how many
   * requests this conversation has had, for one whose messages are summed up on the way.
   */
  by: z.enum(["messages", "requests"]).default("messages"),
});

export const scriptSchema = z.strictObject({
  conversations: z.array(conversation).min(1),
  /** `windowMax`: a longer request is refused as too long for the context window. */
  tokens: z
    .strictObject({ bytesPerToken: z.number().positive().default(4), windowMax: z.int().positive().optional() })
    .default({ bytesPerToken: 4 }),
  /** `polls`: how often a batch is looked at before it has ended. `failure`: OpenAI's code for one that fails as a whole. */
  batch: z.strictObject({ polls: z.int().nonnegative(), failure: z.string().optional() }).default({ polls: 1 }),
});

/** As people write it: what has a default may be left out. */
export type Script = z.input<typeof scriptSchema>;
export type ParsedScript = z.output<typeof scriptSchema>;
export type Conversation = ParsedScript["conversations"][number];
export type Turn = z.output<typeof turn>;
export type Action = z.output<typeof action>;
export type Fault = z.output<typeof fault>;
export type Stop = z.output<typeof stop>;
export type CallsAs = z.output<typeof callsAs>;

export const readScript = (input: unknown): ParsedScript => {
  const parsed = scriptSchema.safeParse(input);
  if (!parsed.success) throw new Error(`The models script is not valid:\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
};

export function findConversation(script: ParsedScript, text: string): Conversation | undefined {
  return script.conversations.find(({ match }) => [match].flat().every((needle) => text.includes(needle)));
}
