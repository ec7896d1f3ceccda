/** What OpenAI's errors mean, whether they come as an HTTP status or as an event after a 200. */
import { APIConnectionError, APIError } from "openai";
import { ModelError, type ModelFault } from "./model.ts";
import { readRetryAfterMs } from "./wire.ts";

type Failure = {
  readonly status: number | undefined;
  /** `error.code`, else `error.type`. */
  readonly code: string | null;
  readonly message: string;
};

/** Codes as codex tells them apart in its own client, and those of the vendor's error guide. */
const FAULTS: ReadonlyMap<string, ModelFault> = new Map([
  ["insufficient_quota", "quota"],
  ["billing_hard_limit_reached", "quota"],
  ["billing_not_active", "quota"],
  ["usage_not_included", "quota"],
  ["rate_limit_exceeded", "rate-limited"],
  ["server_is_overloaded", "overloaded"],
  ["slow_down", "overloaded"],
  ["context_length_exceeded", "window-exceeded"],
  ["invalid_api_key", "authentication"],
  ["invalid_prompt", "invalid-request"],
  ["invalid_request_error", "invalid-request"],
  ["model_not_found", "invalid-request"],
  ["cyber_policy", "invalid-request"],
  ["bio_policy", "invalid-request"],
  ["misalignment_policy_violation", "invalid-request"],
]);

/** "Please try again in 11.054s.", "in 28ms", "in 35 seconds": rate limits inside a stream have no header. */
const TRY_AGAIN = /try again in\s*(\d+(?:\.\d+)?)\s*(ms|s)/i;

export function readOpenAiFault(error: unknown): ModelError {
  if (error instanceof ModelError) return error;
  if (error instanceof APIConnectionError || !(error instanceof APIError)) {
    // What is not the API's own error comes from the transport: a reset, a body cut short.
    return new ModelError("connection", "The connection to OpenAI broke.", { cause: error });
  }
  const failure = { status: error.status, code: error.code ?? error.type ?? null, message: error.message };
  return toFault(failure, readRetryAfterMs(error.headers), error);
}

/** An `error` or `response.failed` event. */
export function readOpenAiFailure(code: string | null, message: string): ModelError {
  return toFault({ status: undefined, code, message }, null, undefined);
}

function toFault(failure: Failure, headerMs: number | null, cause: unknown): ModelError {
  const retryAfterMs = headerMs ?? readTryAgainMs(failure.message);
  return new ModelError(openAiFault(failure), `OpenAI: ${failure.message}`, { retryAfterMs, cause });
}

function openAiFault({ status, code, message }: Failure): ModelFault {
  const byCode = code === null ? undefined : FAULTS.get(code);
  // A generic type says less than the status it came with.
  if (byCode && byCode !== "invalid-request") return byCode;
  if (status === 401 || status === 403) return "authentication";
  if (status === 402) return "quota";
  if (status === 429) return "rate-limited";
  if (status === 503 || status === 529) return "overloaded";
  // Some compatible servers send the text without the code.
  if (/context (window|length)/i.test(message) && /exceed|maximum/i.test(message)) return "window-exceeded";
  // The vendor's SDK, too, tries again after a timeout or a lock conflict.
  if (status === 408 || status === 409) return "server";
  if (status !== undefined && status < 500) return "invalid-request";
  return status === undefined ? (byCode ?? "server") : "server";
}

function readTryAgainMs(message: string): number | null {
  const [, amount, unit] = TRY_AGAIN.exec(message) ?? [];
  if (amount === undefined) return null;
  return Math.ceil(Number.parseFloat(amount) * (unit?.toLowerCase() === "ms" ? 1 : 1000));
}
