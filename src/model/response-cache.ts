/**
 * Replies kept by the exact request, so that a review of an unchanged diff is not paid twice. Only whole replies are kept:
 * never a refusal, a cut or an error, which another try might mend.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import { TransientError } from "../failure.ts";
import type { ReplyPart, Usage } from "../journal.ts";
import type { Model, ModelReply, ModelRequest } from "./model.ts";

/** Keeps the text of replies under a key, within bounds of its own; what it has forgotten is null. */
export type ReplyStore = {
  readonly find: (key: string) => Promise<string | null>;
  /** Replaces what was kept under the key. */
  readonly keep: (key: string, text: string) => Promise<void>;
};

/**
 * Asks the store first. `account` tells the vendor's accounts apart, as an API key does (only a hash of the whole request leaves
 * here): what is opaque in a reply is signed for one organisation, and another would have it refused at the next turn.
 */
export function cacheReplies(model: Model, store: ReplyStore, account = ""): Model {
  return {
    id: model.id,
    facts: model.facts,
    async reply(request, signal) {
      signal.throwIfAborted();
      const key = requestKey(model, request, account);
      const known = await store.find(key);
      if (known !== null) return readKept(known);
      const reply = await model.reply(request, signal);
      if (isWhole(reply, request)) await keep(store, key, reply);
      return reply;
    },
  };
}

/** Raise it when what is kept, or what the adapters make of a request, changes: older replies are then not found. */
const FORMAT = 1;

/** SHA-256, in hex, of all that changes the answer. The cache key does not: it only leads to a warm prompt cache. */
export function requestKey(model: Pick<Model, "id" | "facts">, request: ModelRequest, account: string): string {
  const { cacheKey: _, ...asked } = request;
  const { quirks, outputTokensMax: max } = model.facts;
  const outputTokensMax = Math.min(request.outputTokensMax, max);
  const exact = canonical({ format: FORMAT, model: model.id, quirks, account, ...asked, outputTokensMax });
  return createHash("sha256").update(exact).digest("hex");
}

const AnyRecord = z.record(z.string(), z.unknown());

/** JSON with sorted keys: a transcript that was rebuilt from a store is the same transcript. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    const object = AnyRecord.safeParse(inner);
    if (!object.success) return inner;
    return Object.fromEntries(Object.entries(object.data).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** Arguments that are no object came from a slip the model may not make again; only free-form tools take text. */
function isWhole({ stop, parts, cachedUsage }: ModelReply, { tools }: ModelRequest): boolean {
  if (cachedUsage || parts.length === 0 || (stop !== "finished" && stop !== "tool-calls")) return false;
  const freeForm = new Set(tools.filter(({ native }) => native === "apply-patch").map(({ name }) => name));
  return parts.every(
    (part) => part.kind !== "call" || typeof part.call.input !== "string" || freeForm.has(part.call.tool),
  );
}

async function keep(store: ReplyStore, key: string, reply: ModelReply): Promise<void> {
  const { parts, stop, usage, opaque } = reply;
  try {
    await store.keep(key, JSON.stringify({ parts, stop, usage, opaque } satisfies Kept));
  } catch (error) {
    // The reply is paid for; that it could not be kept must not lose it.
    if (!(error instanceof TransientError)) throw error;
  }
}

type Kept = Omit<ModelReply, "cachedUsage">;

const NOTHING: Usage = { input: 0, cachedRead: 0, cacheWrite: 0, output: 0, reasoning: 0 };

const count = z.number();
const KeptUsage = z.object({ input: count, cachedRead: count, cacheWrite: count, output: count, reasoning: count });
const KeptPart: z.ZodType<ReplyPart> = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("text"), text: z.string() }),
  z.object({ kind: z.literal("thinking"), text: z.string() }),
  z.object({ kind: z.literal("call"), call: z.object({ id: z.string(), tool: z.string(), input: z.unknown() }) }),
]);
const KeptReply: z.ZodType<Kept> = z.object({
  parts: z.array(KeptPart),
  stop: z.enum(["finished", "tool-calls"]),
  usage: KeptUsage,
  opaque: z.object({ provider: z.string(), model: z.string(), value: z.unknown() }).nullable(),
});

/** We wrote it under this FORMAT: what does not fit is a defect. */
function readKept(text: string): ModelReply {
  return asCached(KeptReply.parse(JSON.parse(text)));
}

/** The same reply where it was paid for before. */
export function asCached(reply: ModelReply): ModelReply {
  return { ...reply, usage: NOTHING, cachedUsage: reply.usage };
}
