/** The ways vendors are known to fail, each with the end it must come to. fault-table.test.ts plays them on every wire. */
import type { Script } from "../../sim/models/models.ts";
import type { StopReason } from "../../src/journal.ts";
import type { ModelFault } from "../../src/model/model.ts";
import type { Turn } from "./adapters.ts";

type Fault = NonNullable<Turn["fault"]>;
export type Wire = "anthropic" | "openai" | "compatible" | "bedrock" | "vertex" | "azure";

type End =
  /** Asked again as often as `tries` says, then the fault; null: the reply came in the end. */
  | { readonly tries: number; readonly fault: ModelFault | null }
  /** One reply, taken as it is; the next request with it in the transcript is taken too. */
  | { readonly stop: StopReason; readonly calls?: readonly unknown[] };

export type Row = {
  readonly name: string;
  readonly fault: Fault | null;
  readonly end: End;
  readonly turn?: Turn;
  readonly tokens?: Script["tokens"];
  readonly not?: readonly Wire[];
  /** Where what a wire says differs. */
  readonly but?: Partial<Record<Wire, End>>;
};

const ls = { do: "shell", command: "ls -la" } as const;
export const lsInput = { command: "ls -la" };
/** What is asked where a row has no turn of its own, and the input of its call. */
export const plain: Turn = { thinking: "Hm.", text: "Looking.", do: [ls] };
const three: Turn = { do: [ls, { do: "shell", command: "cat a" }, { do: "shell", command: "cat b" }] };
const recovers: End = { tries: 2, fault: null };
const final = (fault: ModelFault): End => ({ tries: 1, fault });
const givesUp = (fault: ModelFault): End => ({ tries: 3, fault });
const status = (code: number, more: object = {}): Fault => ({ kind: "status", status: code, times: 1, ...more });
const broken = (type: string, more: object = {}): Fault => ({ kind: "error-event", type, afterEvents: 3, ...more });

export const faultTable: readonly Row[] = [
  // What passes is asked again.
  { name: "429, once", fault: status(429), end: recovers },
  { name: "429 with a wish to wait", fault: status(429, { retryAfter: 3 }), end: recovers },
  { name: "429, again and again", fault: status(429, { times: 9 }), end: givesUp("rate-limited") },
  { name: "408", fault: status(408), end: recovers },
  { name: "409", fault: status(409), end: recovers },
  { name: "500", fault: status(500), end: recovers },
  { name: "502", fault: status(502), end: recovers },
  { name: "503, again and again", fault: status(503, { times: 9 }), end: givesUp("overloaded") },
  { name: "504", fault: status(504), end: recovers },
  { name: "529", fault: status(529), end: recovers },
  { name: "overloaded after the 200", fault: broken("overloaded_error"), end: recovers },
  { name: "rate limit after the 200", fault: broken("rate_limit_error", { afterEvents: 0 }), end: recovers },
  {
    name: "an error of the server after the 200, again and again",
    fault: broken("api_error", { times: 9 }),
    end: givesUp("server"),
  },
  { name: "a response that failed", fault: broken("api_error", { shape: "failed" }), end: recovers },
  { name: "a connection dropped before the first event", fault: { kind: "drop", afterEvents: 0 }, end: recovers },
  { name: "a connection dropped in the middle", fault: { kind: "drop", afterEvents: 4 }, end: recovers },
  {
    name: "a connection that never holds",
    fault: { kind: "drop", afterEvents: 4, times: 9 },
    end: givesUp("connection"),
  },
  { name: "a stream that ends politely without saying how", fault: { kind: "truncate" }, end: recovers },
  { name: "a stall before the first event", fault: { kind: "stall", afterEvents: 0 }, end: recovers },
  { name: "a stall in the middle", fault: { kind: "stall", afterEvents: 4 }, end: recovers },
  { name: "a vendor that only stalls", fault: { kind: "stall", afterEvents: 2, times: 9 }, end: givesUp("stalled") },
  // What does not pass is final.
  { name: "400", fault: status(400), end: final("invalid-request") },
  { name: "401", fault: status(401), end: final("authentication") },
  { name: "402", fault: status(402), end: final("quota") },
  { name: "403", fault: status(403), end: final("authentication") },
  { name: "404", fault: status(404), end: final("invalid-request") },
  {
    name: "413",
    fault: status(413),
    end: final("window-exceeded"),
    but: { openai: final("invalid-request"), compatible: final("invalid-request"), azure: final("invalid-request") },
  },
  { name: "422", fault: status(422), end: final("invalid-request") },
  {
    name: "429 because the quota is used up",
    fault: status(429, { code: "insufficient_quota" }),
    end: final("quota"),
    not: ["anthropic", "bedrock", "vertex"],
  },
  {
    name: "429 because a spend limit is reached",
    fault: status(429, { detailsCode: "enforced_spend_limit_reached" }),
    end: final("quota"),
    not: ["openai", "compatible", "bedrock", "vertex", "azure"],
  },
  {
    name: "400 because there is no credit",
    fault: status(400, { message: "Your credit balance is too low to access the API." }),
    end: final("quota"),
    not: ["openai", "compatible", "azure"],
  },
  {
    name: "a wrong request found out after the 200",
    fault: broken("invalid_request_error"),
    end: final("invalid-request"),
  },
  { name: "a prompt longer than the window", fault: null, tokens: { windowMax: 60 }, end: final("window-exceeded") },
  // Errors in the shapes of the servers behind Chat Completions.
  ...(["vllm", "ollama", "fastapi", "html"] as const).flatMap((shape): Row[] => [
    {
      name: `400 as ${shape} says it: the prompt is too long`,
      fault: status(400, { shape, message: "This model's maximum context length is 8192 tokens." }),
      end: final("window-exceeded"),
      not: ["anthropic", "openai", "bedrock", "vertex", "azure"],
    },
    {
      name: `503 as ${shape} says it`,
      fault: status(503, { shape, message: "Service Unavailable" }),
      end: recovers,
      not: ["anthropic", "openai", "bedrock", "vertex", "azure"],
    },
  ]),
  // Replies that are strange and yet replies.
  { name: "an empty reply", fault: { kind: "empty" }, end: { stop: "finished", calls: [] } },
  { name: "a refusal", fault: { kind: "refusal" }, end: { stop: "refused", calls: [] } },
  { name: "events nobody knows", fault: { kind: "unknown-event" }, end: { stop: "tool-calls", calls: [lsInput] } },
  {
    name: "the output limit inside a call: it is not run",
    fault: { kind: "max-tokens" },
    end: { stop: "output-limit", calls: [] },
  },
  {
    name: "the output limit inside the last of three calls: the whole ones are there",
    fault: { kind: "max-tokens" },
    turn: three,
    end: { stop: "output-limit", calls: [lsInput, { command: "cat a" }] },
  },
  {
    name: "the output limit inside the words",
    fault: { kind: "max-tokens" },
    turn: { text: "A long explanation." },
    end: { stop: "output-limit", calls: [] },
  },
  {
    name: "input that is no JSON: it comes as text, for the dispatcher to tell the model",
    fault: { kind: "malformed-input" },
    end: { stop: "tool-calls", calls: ['{command":"ls -la"}'] },
  },
  {
    name: "parallel calls",
    fault: null,
    turn: three,
    end: { stop: "tool-calls", calls: [lsInput, { command: "cat a" }, { command: "cat b" }] },
  },
  {
    name: "a call of a tool that was never offered: the dispatcher says so",
    fault: null,
    turn: { do: [{ do: "call", tool: "browser", input: { url: "x" } }] },
    end: { stop: "tool-calls", calls: [{ url: "x" }] },
  },
  {
    name: "the window filled up in the middle of a reply",
    fault: null,
    turn: { text: "Half.", stop: "model_context_window_exceeded" },
    end: { stop: "window-exceeded", calls: [] },
    not: ["openai", "compatible", "azure"],
  },
  {
    name: "a pause of the vendor's own",
    fault: null,
    turn: { text: "Half.", stop: "pause_turn" },
    end: { stop: "paused", calls: [] },
    not: ["openai", "compatible", "azure"],
  },
  {
    name: "half a call in the text of a reply that was cut off",
    fault: { kind: "max-tokens" },
    turn: { text: "Hm.", do: [ls], callsAs: "hermes" },
    end: { stop: "output-limit", calls: [] },
    not: ["anthropic", "openai", "bedrock", "vertex", "azure"],
  },
  {
    name: "spoiled JSON in a call in the text: it stays text",
    fault: { kind: "malformed-input" },
    turn: { do: [ls], callsAs: "fenced" },
    end: { stop: "finished", calls: [] },
    not: ["anthropic", "openai", "bedrock", "vertex", "azure"],
  },
];
