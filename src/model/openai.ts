/** OpenAI over the Responses API: opens the stream and hands events to the reader. Nothing is stored at the vendor. */
import OpenAI from "openai";
import type { Model, ModelFacts } from "./model.ts";
import { readOpenAiFault } from "./openai-fault.ts";
import { readResponse } from "./openai-reply.ts";
import { toResponseParams, toolNames } from "./openai-request.ts";
import { watchStream } from "./watch-stream.ts";

/** The API may say nothing while a model reasons; codex waits as long. */
const IDLE_MS_MAX = 300_000;

/** Named here because the SDK would else read the environment, which only settings.ts may. */
const BASE_URL = "https://api.openai.com/v1";

export type OpenAiOptions = {
  readonly apiKey: string;
  readonly baseUrl: string | null;
  /** The vendor's own name: "gpt-6.1-sol". */
  readonly name: string;
  readonly facts: ModelFacts;
  readonly idleMsMax?: number;
};

export function openaiModel(options: OpenAiOptions): Model {
  const { apiKey, name, facts, idleMsMax = IDLE_MS_MAX } = options;
  const client = new OpenAI({
    apiKey,
    adminAPIKey: null,
    organization: null,
    project: null,
    baseURL: options.baseUrl ?? BASE_URL,
    maxRetries: 0,
    timeout: idleMsMax,
    logLevel: "off", // Its log would print parts of the transcript.
  });
  return {
    id: `openai/${name}`,
    facts,
    async reply(request, signal) {
      const params = toResponseParams(request, name, facts.outputTokensMax);
      const open = (signal: AbortSignal) => client.responses.create(params, { signal });
      const events = watchStream<unknown>(open, { idleMsMax, readFault: readOpenAiFault }, signal);
      return readResponse(events, { name, toolNames: toolNames(request.tools) });
    },
  };
}
