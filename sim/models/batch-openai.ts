/** OpenAI's Batches over files, as the SDK's types give them. Only the Responses API is called by their lines. */
import type { Batch } from "openai/resources/batches";
import type { FileObject } from "openai/resources/files";
import { z } from "zod";
import {
  look,
  toLines,
  type BatchAnswer,
  type BatchCall,
  type BatchItem,
  type ItemEnd,
  type Shelved,
} from "./batch.ts";
import { invalid } from "./openai-rules.ts";
import { openaiWire } from "./openai.ts";
import { Refusal } from "./refusal.ts";

export const OPENAI_BATCHES = /^\/(batches|files)(?:\/([^/]+))?(?:\/(cancel|content))?$/;

/** What arrives as a form, read by serveBatch. */
export const Upload = z.object({ name: z.string(), text: z.string(), purpose: z.string() });

const expiry = z
  .strictObject({ anchor: z.literal("created_at"), seconds: z.int().min(3600).max(2_592_000) })
  .optional();

const Create = z.strictObject({
  input_file_id: z.string(),
  endpoint: z.literal("/v1/responses"),
  completion_window: z.literal("24h"),
  metadata: z.record(z.string().max(64), z.string().max(512)).nullish(),
  output_expires_after: expiry,
});

const Line = z.strictObject({
  custom_id: z.string().min(1),
  method: z.literal("POST"),
  url: z.string(),
  body: z.record(z.string(), z.unknown()),
});

const DAY_S = 24 * 60 * 60;

export function answerOpenai(call: BatchCall): BatchAnswer {
  const [, kind, id, verb] = OPENAI_BATCHES.exec(call.path) ?? [];
  return kind === "files" ? answerFile(call, id, verb) : answerBatch(call, id, verb);
}

function answerFile(
  { player, method, body }: BatchCall,
  id: string | undefined,
  verb: string | undefined,
): BatchAnswer {
  const { files } = player.batches;
  if (id === undefined) {
    if (method !== "POST") throw new Refusal(405, "Method Not Allowed");
    const { name, text, purpose } = Upload.parse(body);
    if (purpose !== "batch") throw invalid(`'${purpose}' is not one of ['batch'] here`, "invalid_value", "purpose");
    const file = { id: player.batches.addFile(name, text, purpose), text, name };
    return { kind: "json", body: describeFile(file) };
  }
  const file = files.get(id);
  if (!file) throw new Refusal(404, `No such File object: ${id}`);
  if (method === "DELETE") {
    files.delete(id);
    return { kind: "json", body: { id, object: "file", deleted: true } };
  }
  return verb === "content" ? { kind: "text", text: file.text } : { kind: "json", body: describeFile({ id, ...file }) };
}

function describeFile(file: { readonly id: string; readonly text: string; readonly name: string }): FileObject {
  const bytes = Buffer.byteLength(file.text);
  const created_at = Math.floor(Date.now() / 1000);
  return { id: file.id, object: "file", bytes, created_at, filename: file.name, purpose: "batch", status: "processed" };
}

function answerBatch(
  { player, method, body }: BatchCall,
  id: string | undefined,
  verb: string | undefined,
): BatchAnswer {
  const shelf = player.batches;
  if (id === undefined) {
    if (method !== "POST") throw new Refusal(405, "Method Not Allowed");
    const parsed = Create.safeParse(body);
    if (!parsed.success) throw invalid(z.prettifyError(parsed.error), "invalid_request_error", "body");
    const inputFile = parsed.data.input_file_id;
    const text = shelf.files.get(inputFile)?.text;
    if (text === undefined) throw invalid(`No such File object: ${inputFile}`, "invalid_value", "input_file_id");
    const { failure: code } = player.batch;
    const read = code === undefined ? readInput(text) : { items: [], failure: { code, message: "Scripted.", line: 1 } };
    return { kind: "json", body: describe(shelf.add({ prefix: "batch_", inputFile, ...read })) };
  }
  const batch = shelf.batches.get(id);
  if (!batch) throw new Refusal(404, `No batch found with id '${id}'.`);
  if (method === "POST" && verb === "cancel") {
    if (batch.ends !== null) throw new Refusal(409, `Cannot cancel a batch with status 'completed'.`);
    batch.isCancelled = true;
    return { kind: "json", body: describe(batch) };
  }
  if (method !== "GET") throw new Refusal(405, "Method Not Allowed");
  look(batch, openaiWire, player);
  if (batch.ends !== null) batch.files ??= shelveFiles(batch.ends, shelf);
  return { kind: "json", body: describe(batch) };
}

/** The vendor's checks of the file, which it makes after it has taken the batch. */
function readInput(text: string): Pick<Shelved, "items" | "failure"> {
  const items: BatchItem[] = [];
  const models = new Set<unknown>();
  const fail = (code: string, message: string, line: number) => ({ items: [], failure: { code, message, line } });
  const lines = text.split("\n").slice(0, text.endsWith("\n") ? -1 : undefined);
  if (lines.length === 0) return fail("empty_file", "The input file is empty.", 0);
  for (const [index, line] of lines.entries()) {
    const parsed = Line.safeParse(parseJson(line));
    if (!parsed.success) return fail("invalid_json_line", "This line is not parseable as valid JSON.", index + 1);
    const { custom_id, url, body } = parsed.data;
    if (url !== "/v1/responses") return fail("invalid_url", "The URL does not match the batch's endpoint.", index + 1);
    if (items.some(({ key }) => key === custom_id)) {
      return fail("duplicate_custom_id", "The custom_id for this request is a duplicate.", index + 1);
    }
    models.add(body["model"]);
    if (models.size > 1) return fail("mismatched_model", "All requests of a batch must name one model.", index + 1);
    items.push({ key: custom_id, params: body });
  }
  return { items, failure: null };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function shelveFiles(ends: ReadonlyMap<string, ItemEnd>, shelf: BatchCall["player"]["batches"]): Shelved["files"] {
  const lines = [...ends].toReversed();
  const good = lines.filter(([, end]) => end.kind === "succeeded").map(([key, end]) => describeEnd(key, end));
  const bad = lines.filter(([, end]) => end.kind !== "succeeded").map(([key, end]) => describeEnd(key, end));
  const file = (name: string, of: readonly object[]) =>
    of.length === 0 ? null : shelf.addFile(name, toLines(of), "batch_output");
  return { output: file("output.jsonl", good), errors: file("errors.jsonl", bad) };
}

const UNANSWERED = {
  expired: {
    code: "batch_expired",
    message: "This request could not be executed before the completion window expired.",
  },
  canceled: { code: "batch_cancelled", message: "This request was not executed: the batch was cancelled." },
} as const;

function describeEnd(custom_id: string, end: ItemEnd): object {
  const id = `batch_req_${custom_id}`;
  const request_id = "req_sim_batch";
  switch (end.kind) {
    case "succeeded":
      return { id, custom_id, response: { status_code: 200, request_id, body: end.whole }, error: null };
    case "errored": {
      const body = openaiWire.errorBody(end.refusal, request_id);
      return { id, custom_id, response: { status_code: end.refusal.status, request_id, body }, error: null };
    }
    default:
      return { id, custom_id, response: null, error: UNANSWERED[end.kind] };
  }
}

function statusOf({ failure, ends, isCancelled, polls }: Shelved): Batch["status"] {
  if (failure) return polls === 0 ? "validating" : "failed";
  if (ends === null) return isCancelled ? "cancelling" : polls <= 1 ? "validating" : "in_progress";
  if (isCancelled) return "cancelled";
  return [...ends.values()].some(({ kind }) => kind === "expired") ? "expired" : "completed";
}

function describe(batch: Shelved): Batch {
  const { failure, files } = batch;
  const status = statusOf(batch);
  const ends = [...(batch.ends?.values() ?? [])];
  const completed = ends.filter(({ kind }) => kind === "succeeded").length;
  return {
    id: batch.id,
    object: "batch",
    endpoint: "/v1/responses",
    completion_window: "24h",
    created_at: batch.createdAt,
    expires_at: batch.createdAt + DAY_S,
    input_file_id: batch.inputFile,
    status,
    request_counts: { total: batch.items.length, completed, failed: ends.length - completed },
    ...(files?.output ? { output_file_id: files.output } : {}),
    ...(files?.errors ? { error_file_id: files.errors } : {}),
    ...(failure && status === "failed" ? { errors: { object: "list", data: [failure] } } : {}),
  };
}
