/** What OpenAI's errors mean, whether they come as an HTTP status or as an event after a 200. */
import { APIConnectionError, APIError } from "openai";
import { ModelError, type ModelFault } from "./model.ts";
import { readRetryAfterMs } from "./wire.ts";

type Failure = {
  readonly status: number | undefined;
  /** `error.code` and `error.type`; compatible servers put a status into the code. */
  readonly code: string | null;
  readonly type: string | null;
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
  // llama.cpp's and LiteLLM's.
  ["exceed_context_size_error", "window-exceeded"],
  ["budget_exceeded", "quota"],
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

export function readOpenAiFault(error: unknown, vendor = "OpenAI"): ModelError {
  if (error instanceof ModelError) return error;
  if (error instanceof APIConnectionError || !(error instanceof APIError)) {
    // What is not the API's own error comes from the transport: a reset, a body cut short.
    return new ModelError("connection", `The connection to ${vendor} broke.`, { cause: error });
  }
  const { status, code = null, type = null, message, headers } = error;
  const failure = {
    status,
    code: code === null ? null : String(code),
    type: type === null ? null : String(type),
    message,
  };
  return toFault(failure, { vendor, headerMs: readRetryAfterMs(headers), cause: error });
}

/** An `error` or `response.failed` event. */
export function readOpenAiFailure(
  code: string | null,
  message: string,
  { type = null, vendor = "OpenAI" }: { readonly type?: string | null; readonly vendor?: string } = {},
): ModelError {
  // Where OpenAI has words compatible servers have the HTTP status they would have sent.
  const status = /^[45]\d\d$/.test(code ?? "") ? Number(code) : undefined;
  return toFault({ status, code, type, message }, { vendor, headerMs: null, cause: undefined });
}

type Circumstances = { readonly vendor: string; readonly headerMs: number | null; readonly cause: unknown };

function toFault(failure: Failure, { vendor, headerMs, cause }: Circumstances): ModelError {
  const retryAfterMs = headerMs ?? readTryAgainMs(failure.message);
  return new ModelError(openAiFault(failure), `${vendor}: ${failure.message}`, { retryAfterMs, cause });
}

function openAiFault({ status, code, type, message }: Failure): ModelFault {
  const byCode = FAULTS.get(code ?? "") ?? FAULTS.get(type ?? "");
  // A generic type says less than the status it came with.
  if (byCode && byCode !== "invalid-request") return byCode;
  if (status === 401 || status === 403) return "authentication";
  if (status === 402) return "quota";
  if (status === 429) return "rate-limited";
  if (status === 503 || status === 529) return "overloaded";
  // Some compatible servers send the text without the code.
  if (/context (window|length|size)/i.test(message) && /exceed|maximum/i.test(message)) return "window-exceeded";
  if (/(prompt|input) is too long/i.test(message)) return "window-exceeded";
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
