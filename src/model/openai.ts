/** OpenAI over the Responses API: opens the stream and hands events to the reader. Nothing is stored at the vendor. */
import OpenAI from "openai";
import type { Model, ModelFacts, RatesLeft } from "./model.ts";
import { readOpenAiFault } from "./openai-fault.ts";
import { readResponse } from "./openai-reply.ts";
import { toResponseParams, toolNames } from "./openai-request.ts";
import { watchStream } from "./watch-stream.ts";
import { estimateUsage, readRateLeft } from "./wire.ts";

/** The API may say nothing while a model reasons; codex waits as long. */
export const IDLE_MS_MAX = 300_000;

/** Named here because the SDK would else read the environment, which only settings.ts may. */
const BASE_URL = "https://api.openai.com/v1";

export type OpenAiOptions = {
  readonly apiKey: string;
  readonly baseUrl: string | null;
  /** The vendor's own name: "gpt-6.1-sol". */
  readonly name: string;
  readonly facts: ModelFacts;
  /** Thoughts in words. Off by default: organisations that are not verified get 400 for asking. */
  readonly summaries?: boolean;
  readonly idleMsMax?: number;
};

export function openaiModel(options: OpenAiOptions): Model {
  const { apiKey, baseUrl, name, ...rest } = options;
  const client = new OpenAI({ ...clientOptions(rest.idleMsMax), apiKey, baseURL: baseUrl ?? BASE_URL });
  return responsesModel(client, { ...rest, id: `openai/${name}`, name });
}

/** Nothing is read from the environment, retried or logged by the SDK; its log would print parts of the transcript. */
export function clientOptions(idleMsMax = IDLE_MS_MAX) {
  return {
    ...{ adminAPIKey: null, organization: null, project: null },
    ...({ maxRetries: 0, timeout: idleMsMax, logLevel: "off" } as const),
  };
}

type ResponsesOptions = Pick<OpenAiOptions, "name" | "facts" | "summaries" | "idleMsMax"> & {
  readonly id: string;
  readonly boundTo?: string;
};

/** `client` may be Azure's: what differs is where it asks and how it signs. */
export function responsesModel(client: OpenAI, options: ResponsesOptions): Model {
  const { id, name, facts, boundTo = name, summaries = false, idleMsMax = IDLE_MS_MAX } = options;
  return {
    id,
    facts,
    async reply(request, signal) {
      const params = toResponseParams(request, { name, facts, boundTo, summaries });
      const answer: { headers?: Headers } = {};
      const open = async (signal: AbortSignal) => {
        const { data, response } = await client.responses.create(params, { signal }).withResponse();
        answer.headers = response.headers;
        return data;
      };
      const events = watchStream<unknown>(open, { idleMsMax, readFault: (error) => readOpenAiFault(error) }, signal);
      const reply = await readResponse(events, { name: boundTo, toolNames: toolNames(request.tools) });
      const usage = reply.isUsageEstimated ? estimateUsage(params, reply.parts) : reply.usage;
      return { ...reply, usage, ratesLeft: readRatesLeft(answer.headers) };
    },
  };
}

/** The vendor counts a minute's tokens together, those that may still be written included. */
export function readRatesLeft(headers: Headers | undefined): RatesLeft {
  const read = (kind: string) => readRateLeft(headers, `x-ratelimit-limit-${kind}`, `x-ratelimit-remaining-${kind}`);
  return { requests: read("requests"), inputTokens: read("tokens"), outputTokens: null };
}
