/** Why Anthropic's prompt cache could not reuse an earlier request: it keeps a fingerprint of each and compares part by part. */
import type { Ask, CacheMiss } from "./ask.ts";
import { hashOf, messageIdOf } from "./seal.ts";

type Fingerprint = {
  readonly model: string;
  readonly tools: string;
  readonly system: string;
  readonly messages: string[];
};

/** More than one run makes; the oldest are forgotten. */
const FINGERPRINTS_MAX = 2_000;

export class CacheDiagnosis {
  readonly #known = new Map<string, Fingerprint>();

  /** Undefined unless the request asks. Remembers it for the next one. */
  compare(ask: Ask, missedTokens: number): CacheMiss {
    const { diagnostics } = ask.body as { diagnostics?: { previous_message_id?: string | null } | null };
    const now = fingerprintOf(ask);
    const before = this.#known.get(diagnostics?.previous_message_id ?? "");
    this.#known.set(messageIdOf(ask.seed), now);
    for (const id of this.#known.keys()) if (this.#known.size > FINGERPRINTS_MAX) this.#known.delete(id);
    if (!diagnostics) return undefined;
    if (!diagnostics.previous_message_id) return null;
    if (!before) return { type: "previous_message_not_found" };
    const type = firstChange(before, now);
    return type === null ? null : { type, cache_missed_input_tokens: missedTokens };
  }
}

function firstChange(before: Fingerprint, now: Fingerprint): string | null {
  if (before.model !== now.model) return "model_changed";
  if (before.tools !== now.tools) return "tools_changed";
  if (before.system !== now.system) return "system_changed";
  return before.messages.every((message, index) => message === now.messages[index]) ? null : "messages_changed";
}

function fingerprintOf({ model, body }: Ask): Fingerprint {
  const bare = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value ?? null), (key, inner: unknown) => (key === "cache_control" ? undefined : inner));
  const messages = Array.isArray(body["messages"]) ? body["messages"] : [];
  return {
    model,
    tools: hashOf(bare(body["tools"])),
    system: hashOf(bare(body["system"])),
    messages: messages.map((message) => hashOf(bare(message))),
  };
}
