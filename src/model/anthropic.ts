/** Claude over the Messages API: opens the stream and hands events to the reader. Retrying is not its business. */
import { BaseAnthropic, type ClientOptions } from "@anthropic-ai/sdk/client";
import { Stream } from "@anthropic-ai/sdk/core/streaming";
import { Messages } from "@anthropic-ai/sdk/resources/messages/messages";
import { readAnthropicFault } from "./anthropic-fault.ts";
import { readMessage } from "./anthropic-reply.ts";
import { toMessageParams, toolNames, type Asked } from "./anthropic-request.ts";
import type { Model, ModelFacts, RatesLeft } from "./model.ts";
import { watchStream } from "./watch-stream.ts";
import { readRateLeft } from "./wire.ts";

/** The API sends a ping every few seconds while the model thinks, so two silent minutes mean a dead connection. */
const IDLE_MS_MAX = 120_000;

/** Named here because the SDK would else read the environment, which only settings.ts may. */
const BASE_URL = "https://api.anthropic.com";

export type AnthropicOptions = {
  readonly apiKey: string;
  readonly baseUrl: string | null;
  /** The vendor's own name: "claude-opus-5-5". */
  readonly name: string;
  readonly facts: ModelFacts;
  /** By default where nothing stands in between: a proxy may refuse a parameter it does not know. */
  readonly asksWhyMissed?: boolean;
  readonly idleMsMax?: number;
};

export function anthropicModel(options: AnthropicOptions): Model {
  const { apiKey, baseUrl, name, asksWhyMissed = baseUrl === null, ...rest } = options;
  const baseURL = baseUrl ?? BASE_URL;
  return claudeModel(
    { messages: openMessages({ apiKey, baseURL }) },
    { ...rest, id: `anthropic/${name}`, name, asksWhyMissed },
  );
}

/** One resource of the SDK's client: all of them are 700 kB of code, most of which no run needs. */
export function openMessages(options: Pick<ClientOptions, "apiKey" | "baseURL" | "timeout">): Messages {
  // Its log would print parts of the transcript.
  return new Messages(new BaseAnthropic({ ...options, authToken: null, maxRetries: 0, logLevel: "off" }));
}

export type ClaudeOptions = Asked & { readonly id: string; readonly idleMsMax?: number };

/** The part of the SDK's clients that is the same at Anthropic and at the clouds. */
export type ClaudeClient = { readonly messages: Pick<Messages, "create"> };

export function claudeModel(client: ClaudeClient, options: ClaudeOptions): Model {
  const { id, name, facts, boundTo = name, idleMsMax = IDLE_MS_MAX } = options;
  return {
    id,
    facts,
    async reply(request, signal) {
      const params = toMessageParams(request, options);
      const answer: { headers?: Headers } = {};
      const open = async (signal: AbortSignal) => {
        const response = await client.messages.create(params, { signal }).asResponse();
        answer.headers = response.headers;
        // Raw, because the parsed stream hides pings and they are signs of life.
        return Stream.rawEvents(response);
      };
      const events = watchStream(open, { idleMsMax, readFault: readAnthropicFault }, signal);
      const reply = await readMessage(events, { name: boundTo, toolNames: toolNames(request.tools) });
      return { ...reply, ratesLeft: readRatesLeft(answer.headers) };
    },
  };
}

function readRatesLeft(headers: Headers | undefined): RatesLeft {
  const read = (kind: string) =>
    readRateLeft(headers, `anthropic-ratelimit-${kind}-limit`, `anthropic-ratelimit-${kind}-remaining`);
  return { requests: read("requests"), inputTokens: read("input-tokens"), outputTokens: read("output-tokens") };
}
