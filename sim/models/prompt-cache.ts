/**
 * Counts tokens and plays the vendors' prompt caches: exact prefixes only, so that a client which changes an early byte sees
 * its bill rise here as it would there. One per server.
 */
import { createHash } from "node:crypto";
import type { Ask, Counts, Segment, WireName } from "./ask.ts";
import { CacheDiagnosis } from "./cache-diagnosis.ts";
import type { Reply } from "./reply.ts";
import type { Turn } from "./script.ts";

/** Shorter prefixes are not cached: OpenAI's limit, and that of most of Anthropic's models. */
const CACHED_TOKENS_MIN = 1024;
/** OpenAI counts cached tokens in steps. */
const OPENAI_STEP_TOKENS = 128;
/** Anthropic looks this many blocks back from a breakpoint for something it has cached. */
const LOOK_BACK_BLOCKS_MAX = 20;
/** What is remembered: prefixes on Anthropic's side, prompts for each key on OpenAI's. The oldest go first. */
const PREFIXES_MAX = 5_000;
const KEYS_MAX = 200;
const PROMPTS_PER_KEY_MAX = 8;

type Read = { readonly cachedRead: number; readonly cacheWrite: number };

export class PromptCache {
  readonly #bytesPerToken: number;
  readonly #prefixes = new Set<string>();
  readonly #prompts = new Map<string, readonly string[]>();
  readonly #diagnosis = new CacheDiagnosis();

  constructor(bytesPerToken: number) {
    this.#bytesPerToken = bytesPerToken;
  }

  inputTokens(ask: Ask): number {
    return this.#tokens(ask.segments.reduce((sum, segment) => sum + Buffer.byteLength(segment.text), 0));
  }

  /** Counts one answered request and remembers its prompt. */
  charge(wire: WireName, ask: Ask, said: { readonly reply: Reply; readonly usage: Turn["usage"] }): Counts {
    const total = this.inputTokens(ask);
    const read = isClaude(wire) ? this.#readAnthropic(ask) : this.#readOpenai(ask, total);
    const spoken = said.reply.parts.map((part) => ({ part, tokens: this.#tokens(Buffer.byteLength(part.text)) }));
    const sum = (list: typeof spoken) => list.reduce((all, { tokens }) => all + tokens, 0);
    const counted: Counts = {
      ...read,
      input: total - read.cachedRead - read.cacheWrite,
      output: sum(spoken),
      reasoning: sum(spoken.filter(({ part }) => part.kind === "thinking")),
    };
    return {
      input: said.usage?.input ?? counted.input,
      cachedRead: said.usage?.cachedRead ?? counted.cachedRead,
      cacheWrite: said.usage?.cacheWrite ?? counted.cacheWrite,
      output: said.usage?.output ?? counted.output,
      reasoning: said.usage?.reasoning ?? counted.reasoning,
      cacheMiss: wire === "anthropic" ? this.#diagnosis.compare(ask, counted.input + counted.cacheWrite) : undefined,
    };
  }

  #tokens(bytes: number): number {
    return Math.ceil(bytes / this.#bytesPerToken);
  }

  #readAnthropic(ask: Ask): Read {
    const prefixes = prefixesOf(ask.model, ask.segments).map((prefix) => ({
      ...prefix,
      tokens: this.#tokens(prefix.bytes),
    }));
    const breakpoints = ask.segments.flatMap((segment, index) => (segment.breakpoint ? [index] : []));
    const found = breakpoints
      .toReversed()
      .flatMap((index) => prefixes.slice(Math.max(0, index - LOOK_BACK_BLOCKS_MAX), index + 1).toReversed())
      .find((prefix) => this.#prefixes.has(prefix.hash));
    const cachedRead = found?.tokens ?? 0;

    const marked = breakpoints.flatMap((index) => prefixes[index] ?? []);
    const kept = marked.filter((prefix) => prefix.tokens >= CACHED_TOKENS_MIN);
    for (const prefix of kept) this.#prefixes.add(prefix.hash);
    forgetOldest(this.#prefixes, PREFIXES_MAX);
    return { cachedRead, cacheWrite: Math.max(0, (kept.at(-1)?.tokens ?? 0) - cachedRead) };
  }

  #readOpenai(ask: Ask, total: number): Read {
    const prompt = ask.segments.map((segment) => segment.text).join("");
    const key = JSON.stringify([ask.model, ask.cacheKey]);
    const known = this.#prompts.get(key) ?? [];
    const shared = Math.max(0, ...known.map((earlier) => this.#tokens(sharedBytes(earlier, prompt))));
    const cachedRead = wholeSteps(Math.min(shared, total));

    this.#prompts.delete(key);
    this.#prompts.set(key, [prompt, ...known].slice(0, PROMPTS_PER_KEY_MAX));
    forgetOldest(this.#prompts, KEYS_MAX);
    return { cachedRead, cacheWrite: Math.max(0, wholeSteps(total) - cachedRead) };
  }
}

const isClaude = (wire: WireName): boolean => wire !== "openai" && wire !== "compatible";

function prefixesOf(model: string, segments: readonly Segment[]): readonly { hash: string; bytes: number }[] {
  const hash = createHash("sha256").update(model);
  let bytes = 0;
  return segments.map((segment) => {
    hash.update("\0").update(segment.text);
    bytes += Buffer.byteLength(segment.text);
    return { hash: hash.copy().digest("base64url"), bytes };
  });
}

function sharedBytes(left: string, right: string): number {
  const max = Math.min(left.length, right.length);
  let length = 0;
  while (length < max && left.charCodeAt(length) === right.charCodeAt(length)) length += 1;
  return Buffer.byteLength(right.slice(0, length));
}

const wholeSteps = (tokens: number): number =>
  tokens < CACHED_TOKENS_MIN ? 0 : Math.floor(tokens / OPENAI_STEP_TOKENS) * OPENAI_STEP_TOKENS;

function forgetOldest(memory: Set<string> | Map<string, unknown>, max: number): void {
  for (const key of memory.keys()) {
    if (memory.size <= max) return;
    memory.delete(key);
  }
}
