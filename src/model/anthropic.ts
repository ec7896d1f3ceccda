/** Claude over the Messages API: opens the stream and hands events to the reader. Retrying is not its business. */
import Anthropic from "@anthropic-ai/sdk";
import { Stream } from "@anthropic-ai/sdk/core/streaming";
import { readAnthropicFault } from "./anthropic-fault.ts";
import { readMessage } from "./anthropic-reply.ts";
import { toMessageParams, toolNames } from "./anthropic-request.ts";
import type { Model, ModelFacts } from "./model.ts";
import { watchStream } from "./watch-stream.ts";

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
  readonly idleMsMax?: number;
};

export function anthropicModel(options: AnthropicOptions): Model {
  const { apiKey, name, facts, idleMsMax = IDLE_MS_MAX } = options;
  const baseURL = options.baseUrl ?? BASE_URL;
  // Its log would print parts of the transcript.
  const client = new Anthropic({ apiKey, authToken: null, baseURL, maxRetries: 0, logLevel: "off" });
  return {
    id: `anthropic/${name}`,
    facts,
    async reply(request, signal) {
      const params = toMessageParams(request, name, facts.outputTokensMax);
      const open = async (signal: AbortSignal) => {
        const response = await client.messages.create(params, { signal }).asResponse();
        // Raw, because the parsed stream hides pings and they are signs of life.
        return Stream.rawEvents(response);
      };
      const events = watchStream(open, { idleMsMax, readFault: readAnthropicFault }, signal);
      return readMessage(events, { name, toolNames: toolNames(request.tools) });
    },
  };
}
