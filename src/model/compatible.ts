/** Any server that speaks Chat Completions (vLLM, Ollama, llama.cpp, LiteLLM): opens the stream and hands its chunks to the reader. */
import { randomUUID } from "node:crypto";
import OpenAI from "openai";
import { Stream } from "openai/core/streaming";
import { fetchWithReadableErrors } from "./compatible-error.ts";
import { readChat } from "./compatible-reply.ts";
import { callIdsOf, toChatParams } from "./compatible-request.ts";
import type { Model, ModelError, ModelFacts } from "./model.ts";
import { clientOptions, readRatesLeft } from "./openai.ts";
import { readOpenAiFault } from "./openai-fault.ts";
import { watchStream } from "./watch-stream.ts";
import { estimateUsage } from "./wire.ts";

/** Ollama may load a model first, and llama.cpp reads a long prompt for minutes without a word. Node's fetch waits no longer than this. */
const IDLE_MS_MAX = 300_000;

export type CompatibleOptions = {
  /** Null for a server that asks for none. */
  readonly apiKey: string | null;
  /** As such servers give it, with its /v1. */
  readonly baseUrl: string;
  readonly name: string;
  readonly facts: ModelFacts;
  readonly idleMsMax?: number;
};

export function compatibleModel(options: CompatibleOptions): Model {
  const { baseUrl, name, facts, idleMsMax = IDLE_MS_MAX } = options;
  // The SDK wants a key; servers that ask for none do not look at it.
  const apiKey = options.apiKey ?? "none";
  const client = new OpenAI({
    ...clientOptions(idleMsMax),
    ...{ apiKey, baseURL: baseUrl, fetch: fetchWithReadableErrors },
  });
  return {
    id: `compatible/${name}`,
    facts,
    async reply(request, signal) {
      const params = toChatParams(request, { name, facts });
      const answer: { headers?: Headers } = {};
      const open = async (signal: AbortSignal) => {
        const response = await client.chat.completions.create(params, { signal }).asResponse();
        answer.headers = response.headers;
        return readChunks(response, client);
      };
      const chunks = watchStream<unknown>(open, { idleMsMax, readFault }, signal);
      const takenIds = callIdsOf(request.messages);
      const newId = () => `call_${randomUUID()}`;
      const reply = await readChat(chunks, { name, tools: request.tools, takenIds, newId });
      const usage = reply.isUsageEstimated ? estimateUsage(params, reply.parts) : reply.usage;
      return { ...reply, usage, ratesLeft: readRatesLeft(answer.headers) };
    },
  };
}

function readFault(error: unknown): ModelError {
  return readOpenAiFault(error, "The server");
}

/** A server that ignores `stream` answers with one JSON document, and so do some with an error after their 200. */
async function readChunks(response: Response, client: OpenAI): Promise<AsyncIterable<unknown>> {
  if (response.headers.get("content-type")?.includes("application/json")) return one(await response.json());
  // In its "events" mode the SDK leaves errors to us: it knows only OpenAI's shape of them.
  return Stream.fromSSEResponse<unknown>(response, new AbortController(), client, false, "events");
}

async function* one(document: unknown): AsyncGenerator<unknown> {
  yield document;
}
