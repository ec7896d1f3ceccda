/** What the server needs to know of a request, and of an answer, whichever wire it came over. */
import type { DeclaredTool } from "./render-calls.ts";
import type { Reply } from "./reply.ts";
import type { Refusal } from "./refusal.ts";

export type WireName = "anthropic" | "openai" | "compatible" | "bedrock" | "vertex";

/** The prompt in cache order. A vendor caches up to a segment's end; `breakpoint` says that the client asked for it. */
export type Segment = { readonly text: string; readonly breakpoint: boolean };

export type Ask = {
  readonly model: string;
  readonly stream: boolean;
  /** The system prompt and all that users said, for matching a conversation. */
  readonly text: string;
  /** How many turns the model has already had, counted from the request alone. */
  readonly turn: number;
  readonly endsWithModel: boolean;
  readonly tools: readonly DeclaredTool[];
  readonly segments: readonly Segment[];
  /** Two requests with one key may share a cache. */
  readonly cacheKey: string;
  /** Ids of the reply grow from it. */
  readonly seed: string;
  readonly thinking: "off" | "hidden" | "shown";
  /** OpenAI gives reasoning away only to who asks for it encrypted. */
  readonly wantsEncrypted: boolean;
  readonly body: Readonly<Record<string, unknown>>;
};

/** Tokens in the product's terms: `input` was neither read from nor written to a cache; `output` includes `reasoning`. */
export type Counts = {
  readonly input: number;
  readonly cachedRead: number;
  readonly cacheWrite: number;
  readonly output: number;
  readonly reasoning: number;
  readonly cacheMiss?: CacheMiss;
};

/** Why a prompt cache missed, as far as a vendor says: undefined when nobody asked, null when there is nothing to tell. */
export type CacheMiss = { readonly type: string; readonly cache_missed_input_tokens?: number } | null | undefined;

export type WireEvent = object;

export type Answer = {
  /** The whole reply, for a request that does not stream. */
  readonly whole: object;
  readonly events: readonly WireEvent[];
  /** Index of the first event that tells how the reply ended. */
  readonly endsAt: number;
};

/** Server-sent events with a name, as both vendors send them. Event types are added without notice; a client must skip what it does not know. */
export const namedEvents = {
  contentType: "text/event-stream; charset=utf-8",
  frame: (event: WireEvent): string => {
    const name = "type" in event ? `event: ${String(event.type)}\n` : "";
    return `${name}data: ${JSON.stringify(event)}\n\n`;
  },
  closing: "",
  unknownEvent: { type: "something_new", detail: { depth: 1 } },
} as const;

export type Failure = { readonly type: string; readonly message: string; readonly shape: "error" | "failed" };

export type Wire = {
  readonly name: WireName;
  /** Throws Refusal. */
  readonly readAsk: (body: unknown) => Ask;
  readonly answer: (ask: Ask, reply: Reply, counts: Counts) => Answer;
  /** The event that breaks off a stream; `sequence` is its place in it. */
  readonly failureEvent: (failure: Failure, answer: Answer, sequence: number) => WireEvent;
  /** A string goes out as HTML, as a proxy's would. */
  readonly errorBody: (refusal: Refusal, requestId: string) => object | string;
  readonly requestIdHeader: string;
  readonly windowRefusal: (tokens: number, windowMax: number) => Refusal;
  /** One event on the wire, what comes after the last of them, and an event that no client knows. */
  readonly contentType: string;
  readonly frame: (event: WireEvent) => string | Buffer;
  readonly closing: string;
  readonly unknownEvent: WireEvent;
};
