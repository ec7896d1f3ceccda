/**
 * The port to a model vendor. The transcript is ours and append-only; what only one vendor understands rides along as
 * opaque state that only its own adapter reads, so a run can move to another vendor between two turns.
 */
import type { Observation, OpaqueState, ReplyPart, StopReason, Usage } from "../journal.ts";

export type Message =
  | { readonly kind: "user"; readonly text: string }
  | { readonly kind: "model"; readonly parts: readonly ReplyPart[]; readonly opaque: OpaqueState | null }
  /** Exactly one observation for each call of the model message before it, in the same order. */
  | { readonly kind: "observations"; readonly observations: readonly Observation[] };

export type JsonSchema = { readonly [key: string]: unknown };

/** `native` names a tool the vendor's models know by training; an adapter that has no such thing sends the schema instead. */
export type ToolSpec = {
  readonly name: string;
  readonly description: string;
  readonly parameters: JsonSchema;
  readonly native: "shell" | "text-editor" | "apply-patch" | null;
};

/** How much the model should think. A model that lacks a level gets the nearest one below it, or its lowest. */
export type Effort = "low" | "medium" | "high" | "xhigh" | "max";

export type ModelRequest = {
  readonly system: string;
  readonly tools: readonly ToolSpec[];
  readonly messages: readonly Message[];
  /** Limit on output tokens of this reply, thinking included. */
  readonly outputTokensMax: number;
  /** The same for every turn of a run: vendors route by it to a warm prompt cache. */
  readonly cacheKey: string;
  /** Null or absent leaves it to the vendor. Constant within a run: some vendors cache by it. */
  readonly effort?: Effort | null;
};

/** What a vendor's headers said of one limit: of `limit` a minute `remaining` are left. */
export type RateLeft = { readonly limit: number; readonly remaining: number };

/** Null where the vendor said nothing. `inputTokens` is all tokens at a vendor that counts them together. */
export type RatesLeft = {
  readonly requests: RateLeft | null;
  readonly inputTokens: RateLeft | null;
  readonly outputTokens: RateLeft | null;
};

export type ModelReply = {
  readonly parts: readonly ReplyPart[];
  readonly stop: StopReason;
  readonly usage: Usage;
  /** Whether we counted `usage` ourselves from bytes because the server told none. */
  readonly isUsageEstimated?: boolean;
  /** Why the vendor's prompt cache could not reuse the last request, in its words; null when it could or did not say. */
  readonly cacheMiss?: string | null;
  readonly ratesLeft?: RatesLeft | null;
  readonly opaque: OpaqueState | null;
  /**
   * There when the reply came out of our own store and nothing was paid, so that `usage` is zero: what the vendor counted when
   * it was made. The size of the prompt is read from it.
   */
  readonly cachedUsage?: Usage;
};

/** What went wrong with a call, in our words. `retryAfterMs` is the vendor's wish, not yet bounded. */
export type ModelFault =
  | "rate-limited"
  | "overloaded"
  | "connection"
  | "stalled"
  | "server"
  | "quota"
  | "authentication"
  | "invalid-request"
  | "window-exceeded";

export class ModelError extends Error {
  override readonly name = "ModelError";
  readonly fault: ModelFault;
  readonly retryAfterMs: number | null;
  constructor(
    fault: ModelFault,
    message: string,
    options: { readonly retryAfterMs?: number | null; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.fault = fault;
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}

/** United States dollars for a million tokens of each kind. */
export type Prices = {
  readonly input: number;
  readonly cachedRead: number;
  readonly cacheWrite: number;
  readonly output: number;
  /** Rates for the whole of a request whose prompt (read, written and plain input) is longer than `aboveTokens`. */
  readonly longPrompt?: {
    readonly aboveTokens: number;
    readonly input: number;
    readonly cachedRead: number;
    readonly cacheWrite: number;
    readonly output: number;
  };
};

/**
 * How many tokens an image takes, as its vendor publishes it. Patches: one for each square of `patchPx` that is begun, after the longer
 * edge was made no longer than `edgePx`, at most `patchesMax`, times `factor`. Tiles: OpenAI's older way, squares of 512 pixels.
 */
export type ImageRule =
  | {
      readonly kind: "patches";
      readonly patchPx: number;
      readonly edgePx: number;
      readonly patchesMax: number;
      readonly factor: number;
    }
  | { readonly kind: "tiles"; readonly base: number; readonly perTile: number };

/** What differs between models that speak one wire. */
export type Quirks = {
  /** Whether the model is asked to think and its thoughts are carried along. */
  readonly thinks: boolean;
  /** The levels it takes, lowest first; [] when it refuses the parameter. */
  readonly efforts: readonly Effort[];
  /** How apply_patch is offered: as free text held to a grammar, as the vendor's own tool, or as a function. */
  readonly patchTool: "grammar" | "native" | "function";
  /** Whether the shell is offered as the vendor's own tool or as a function. */
  readonly shellTool: "native" | "function";
  /** Whether the prompt cache takes explicit breakpoints. */
  readonly breakpoints: boolean;
  /** Null for a model that cannot be shown images. */
  readonly images: ImageRule | null;
};

export type ModelFacts = {
  readonly contextTokensMax: number;
  readonly outputTokensMax: number;
  readonly prices: Prices;
  /** Where the prices were read and when; "unknown" prices are set high on purpose so that a limit still holds. */
  readonly pricesSource: string;
  /** Which way of editing the model was trained on. */
  readonly editing: "replace" | "patch";
  readonly quirks: Quirks;
};

export interface Model {
  /** "anthropic/claude-opus-5-5": the provider, a slash, the vendor's own name. */
  readonly id: string;
  readonly facts: ModelFacts;
  /** One reply, streamed and put together. One try: throws ModelError, and retrying is the caller's (model/retry.ts). */
  reply(request: ModelRequest, signal: AbortSignal): Promise<ModelReply>;
}

/** The first is asked until it fails for good, then the next. */
export type ModelChain = readonly [Model, ...Model[]];
