/**
 * OpenAI over Batches, each line a call of the Responses API. Requests are the adapter's own, without the stream; a result is
 * a whole response, played as the last event to the adapter's own reader. Sources: SDK 7.55's types; developers.openai.com/api/docs, batch guide.
 */
import OpenAI, { APIError, toFile } from "openai";
import { z } from "zod";
import { callVendor, type BatchResult, type BatchResults, type BatchWire } from "./batch-wire.ts";
import { ModelError, type ModelFacts, type ModelReply } from "./model.ts";
import { clientOptions } from "./openai.ts";
import { readOpenAiFailure, readOpenAiFault } from "./openai-fault.ts";
import { readResponse } from "./openai-reply.ts";
import { toResponseParams, toolNames } from "./openai-request.ts";
import { estimateUsage, readEvent, readObject } from "./wire.ts";

/** An upload of the largest batch we send, over a slow line. Everything else here is small. */
const CALL_MS_MAX = 240_000;

const BASE_URL = "https://api.openai.com/v1";

const ENDPOINT = "/v1/responses";

/** Its files hold the repository's code. We take them away ourselves; this is for when we could not. */
const EXPIRY = { anchor: "created_at", seconds: 7 * 24 * 60 * 60 } as const;

/** Several times the longest response: past it the file is not what we think it is. */
const LINE_CHARS_MAX = 16_000_000;

export type OpenAiBatchOptions = {
  readonly apiKey: string;
  readonly baseUrl: string | null;
  readonly name: string;
  readonly facts: ModelFacts;
};

export function openaiBatches({ apiKey, baseUrl, name, facts }: OpenAiBatchOptions): BatchWire {
  const client = new OpenAI({ ...clientOptions(CALL_MS_MAX), apiKey, baseURL: baseUrl ?? BASE_URL });
  const call = <T>(work: () => Promise<T>, signal: AbortSignal) => callVendor(work, readOpenAiFault, signal);
  return {
    toLine: async (key, request) => {
      const { stream: _, ...body } = toResponseParams(request, { name, facts, summaries: false });
      return JSON.stringify({ custom_id: key, method: "POST", url: ENDPOINT, body });
    },
    submit: (lines, signal) =>
      call(async () => {
        const file = await toFile(Buffer.from(`${lines.join("\n")}\n`), "requests.jsonl");
        const options = { purpose: "batch", expires_after: EXPIRY } as const;
        const { id } = await client.files.create({ file, ...options }, { signal });
        const batch = { input_file_id: id, endpoint: ENDPOINT, completion_window: "24h" } as const;
        return (await client.batches.create({ ...batch, output_expires_after: EXPIRY }, { signal })).id;
      }, signal),
    results: async (batchId, signal) => {
      const batch = await call(() => client.batches.retrieve(batchId, { signal }), signal);
      return resultsOf(batch, (id) => call(() => client.files.content(id, { signal }), signal), signal);
    },
    cancel: async (batchId, signal) => {
      await call(() => client.batches.cancel(batchId, { signal }), signal);
    },
    discard: async (batchId, signal) => {
      const batch = await call(() => client.batches.retrieve(batchId, { signal }), signal);
      for (const id of [batch.input_file_id, batch.output_file_id, batch.error_file_id]) {
        if (id) await call(() => client.files.delete(id, { signal }), signal);
      }
    },
    read: async (result, request) => {
      const reply = await readResult(result, { name, toolNames: toolNames(request.tools) });
      if (!reply.isUsageEstimated) return reply;
      const params = toResponseParams(request, { name, facts, summaries: false });
      return { ...reply, usage: estimateUsage(params, reply.parts) };
    },
  };
}

type Fetch = (fileId: string) => Promise<Response>;

function resultsOf(batch: OpenAI.Batch, fetchFile: Fetch, signal: AbortSignal): BatchResults | null {
  switch (batch.status) {
    case "failed": {
      const { code = "invalid_request_error", message = "no reason given" } = batch.errors?.data?.[0] ?? {};
      // The one that passes: too many tokens of ours wait in the vendor's queue.
      const status_code = code === "token_limit_exceeded" ? 429 : 400;
      return {
        items: noItems(),
        rest: JSON.stringify({ response: { status_code, body: { error: { code, message } } } }),
      };
    }
    case "completed":
    case "expired":
    case "cancelled": {
      const files = [batch.output_file_id, batch.error_file_id].filter((id) => typeof id === "string" && id !== "");
      const code = `batch_${batch.status}`;
      const rest = JSON.stringify({ error: { code, message: "the batch has no line for this request" } });
      return {
        items: readFiles(
          files.flatMap((id) => id ?? []),
          fetchFile,
          signal,
        ),
        rest,
      };
    }
    default: // validating, in_progress, finalizing, cancelling, and what the vendor adds later.
      return null;
  }
}

async function* noItems(): AsyncGenerator<BatchResult> {}

const Line = z.object({ custom_id: z.string() });

async function* readFiles(ids: readonly string[], fetchFile: Fetch, signal: AbortSignal): AsyncGenerator<BatchResult> {
  for (const id of ids) {
    const response = await fetchFile(id);
    for await (const line of readLines(response, signal)) {
      const value = readObject(line);
      if (!value) throw new ModelError("connection", "OpenAI's result file held a line cut short.");
      yield { key: readEvent(Line, value).custom_id, result: line };
    }
  }
}

async function* readLines(response: Response, signal: AbortSignal): AsyncGenerator<string> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  // Ends with the file.
  while (reader) {
    const { done, value } = await callVendor(() => reader.read(), readOpenAiFault, signal);
    if (done) break;
    const lines = (rest + value).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > LINE_CHARS_MAX) throw new ModelError("server", "OpenAI's result file has a line without an end.");
    yield* lines.filter((line) => line.trim() !== "");
  }
  if (rest.trim() !== "") yield rest;
}

const Result = z.object({
  response: z.object({ status_code: z.number(), body: z.record(z.string(), z.unknown()) }).nullish(),
  error: z.object({ code: z.string().nullish(), message: z.string().nullish() }).nullish(),
});

type Names = Parameters<typeof readResponse>[1];

async function readResult(text: string, names: Names): Promise<ModelReply> {
  const { response, error } = readEvent(Result, readObject(text) ?? {});
  if (!response) throw readFailure(error?.code ?? null, error?.message ?? "the batch ended without a result");
  const { status_code: status, body } = response;
  // As if it had come with this status: the same fault for the same error.
  if (status >= 400) throw readOpenAiFault(APIError.generate(status, body, undefined, new Headers()));
  return readResponse(play({ type: `response.${String(body["status"])}`, response: body }), names);
}

async function* play(event: object): AsyncGenerator<unknown> {
  yield event;
}

/** What only batches say. Neither expired nor cancelled requests are billed. */
const FAULTS: ReadonlyMap<string, "overloaded" | "server"> = new Map([
  ["batch_expired", "overloaded"],
  ["batch_cancelled", "server"],
]);

function readFailure(code: string | null, message: string): ModelError {
  const fault = FAULTS.get(code ?? "");
  return fault ? new ModelError(fault, `OpenAI: ${message} (${code})`) : readOpenAiFailure(code, message);
}
