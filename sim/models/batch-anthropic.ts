/** Anthropic's Message Batches, as the SDK's types give them. */
import type { MessageBatch, MessageBatchIndividualResponse } from "@anthropic-ai/sdk/resources/messages/batches";
import { z } from "zod";
import { anthropicWire } from "./anthropic.ts";
import { invalid } from "./anthropic-rules.ts";
import { look, toLines, type BatchAnswer, type BatchCall, type ItemEnd, type Shelved } from "./batch.ts";
import { firstWrong, Refusal } from "./refusal.ts";

/** The parameters of an item are looked at when it is run, as the vendor does. */
const Create = z.strictObject({
  requests: z
    .array(
      z.strictObject({
        custom_id: z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/, "String should match pattern '^[a-zA-Z0-9_-]{1,64}$'"),
        params: z.record(z.string(), z.unknown()),
      }),
    )
    .min(1)
    .max(100_000),
});

const DAY_S = 24 * 60 * 60;

export const ANTHROPIC_BATCHES = /^\/messages\/batches(?:\/([^/]+))?(?:\/(results|cancel))?$/;

export function answerAnthropic({ request, player, method, path, body }: BatchCall): BatchAnswer {
  const [, id, verb] = ANTHROPIC_BATCHES.exec(path) ?? [];
  const origin = `http://${request.headers.host ?? ""}`;
  if (id === undefined) {
    if (method !== "POST") throw new Refusal(405, "Method Not Allowed");
    return { kind: "json", body: describe(create(body, player.batches), origin) };
  }
  const batch = player.batches.batches.get(id);
  if (!batch) throw new Refusal(404, `No Message Batch found for ID: ${id}`);
  if (method === "POST" && verb === "cancel") {
    if (batch.ends !== null) throw invalid(`Batch ${id} cannot be canceled: processing has ended`);
    batch.isCancelled = true;
    return { kind: "json", body: describe(batch, origin) };
  }
  if (method === "DELETE" && verb === undefined) {
    if (batch.ends === null) throw invalid(`Batch ${id} cannot be deleted while it is being processed`);
    player.batches.batches.delete(id);
    return { kind: "json", body: { id, type: "message_batch_deleted" } };
  }
  if (method !== "GET") throw new Refusal(405, "Method Not Allowed");
  if (verb === "results") {
    if (batch.ends === null) throw new Refusal(404, `Results of batch ${id} are not available yet`);
    // Not in the order of the requests, as the vendor warns.
    return { kind: "text", text: toLines([...batch.ends].toReversed().map(([key, end]) => describeEnd(key, end))) };
  }
  look(batch, anthropicWire, player);
  return { kind: "json", body: describe(batch, origin) };
}

function create(body: unknown, shelf: BatchCall["player"]["batches"]): Shelved {
  const parsed = Create.safeParse(body);
  if (!parsed.success) {
    const wrong = firstWrong(parsed.error);
    throw invalid(`${wrong.path.join(".")}: ${wrong.message}`);
  }
  const items = parsed.data.requests.map(({ custom_id, params }) => ({ key: custom_id, params }));
  if (new Set(items.map(({ key }) => key)).size < items.length) throw invalid("requests: custom_id must be unique");
  return shelf.add({ prefix: "msgbatch_", items, inputFile: "", failure: null });
}

function describe(batch: Shelved, origin: string): MessageBatch {
  const ends = [...(batch.ends?.values() ?? [])];
  const count = (kind: ItemEnd["kind"]) => ends.filter((end) => end.kind === kind).length;
  const at = (seconds: number) => new Date(seconds * 1000).toISOString();
  const isEnded = batch.ends !== null;
  return {
    id: batch.id,
    type: "message_batch",
    archived_at: null,
    cancel_initiated_at: batch.isCancelled ? at(batch.createdAt) : null,
    created_at: at(batch.createdAt),
    ended_at: isEnded ? at(batch.createdAt + 1) : null,
    expires_at: at(batch.createdAt + DAY_S),
    processing_status: isEnded ? "ended" : batch.isCancelled ? "canceling" : "in_progress",
    request_counts: {
      processing: isEnded ? 0 : batch.items.length,
      ...{ succeeded: count("succeeded"), errored: count("errored") },
      ...{ canceled: count("canceled"), expired: count("expired") },
    },
    results_url: isEnded ? `${origin}/v1/messages/batches/${batch.id}/results` : null,
  };
}

/** The SDK's types know each error by its own type; a scripted one may be any. */
type Line = Omit<MessageBatchIndividualResponse, "result"> & { readonly result: { readonly type: ItemEnd["kind"] } };

function describeEnd(custom_id: string, end: ItemEnd): Line {
  switch (end.kind) {
    case "succeeded": {
      const message = end.whole;
      const result = { type: "succeeded", message } as const;
      return { custom_id, result };
    }
    case "errored": {
      const result = { type: "errored", error: anthropicWire.errorBody(end.refusal, "req_sim_batch") } as const;
      return { custom_id, result };
    }
    default:
      return { custom_id, result: { type: end.kind } };
  }
}
