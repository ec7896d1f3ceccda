/** Batch models over the stand-in's wire and a real PostgreSQL, with waits of milliseconds. */
import type { Models } from "../../sim/models/models.ts";
import { throughBatches } from "../../src/model/batch-open.ts";
import type { BatchTiming } from "../../src/model/batch-wire.ts";
import { modelFacts } from "../../src/model/catalog.ts";
import type { Model } from "../../src/model/model.ts";
import type { Database } from "../../src/store/database.ts";
import { postgresBatches } from "../../src/store/batches.ts";

export type Vendor = "anthropic" | "openai";

export const MODELS: Readonly<Record<Vendor, string>> = {
  anthropic: "anthropic/claude-opus-5-5",
  openai: "openai/gpt-6.1-sol",
};

/** Long enough for requests of one tick to meet, short enough not to be waited for. */
const TIMING: Partial<BatchTiming> = { windowMs: 30, pollMsMin: 5, pollMsMax: 20 };

export type Change = { readonly timing?: Partial<BatchTiming>; readonly now?: () => number; readonly id?: string };

/** As another process of the product would open it: nothing is shared but the database. */
export function openBatch(vendor: Vendor, models: Models, database: Database, change: Change = {}): Model {
  return openBatchAt(vendor, vendor === "anthropic" ? models.anthropicBaseUrl : models.openaiBaseUrl, database, change);
}

export function openBatchAt(vendor: Vendor, baseUrl: string, database: Database, change: Change = {}): Model {
  const id = change.id ?? MODELS[vendor];
  const direct: Model = { id, facts: modelFacts(id), reply: () => Promise.reject(new Error("asked directly")) };
  const open = throughBatches({
    accounts: { [vendor]: { apiKey: "sk-batch-contract", baseUrl } },
    store: postgresBatches(database),
    now: change.now ?? Date.now,
    timing: { ...TIMING, ...change.timing },
  });
  return open(direct);
}

/** What was asked of the vendor, without the looks at a batch, whose number is a matter of time. */
export const asked = (models: Models): readonly string[] =>
  models.requests
    .map(({ path }) => path.replace(/\/(msgbatch|batch|file)[-_]\w+/g, "/ID"))
    .filter((path) => !/\/batches\/ID$/.test(path));

export const created = (models: Models): number =>
  models.requests.filter(({ path, status }) => status === 200 && /\/batches$/.test(path)).length;
