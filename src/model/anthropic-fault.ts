/** What Anthropic's errors mean, whether they come as an HTTP status or as an event after a 200. */
import { APIConnectionError, APIError } from "@anthropic-ai/sdk/error";
import { ModelError, type ModelFault } from "./model.ts";
import { readRetryAfterMs } from "./wire.ts";

type Failure = {
  readonly status: number | undefined;
  /** `error.type` of the body. */
  readonly type: string | null;
  /** `error.details.error_code` of the body. */
  readonly code: string | null;
  readonly message: string;
};

/** Codes of SDK 1.11 that mean "no more money", some of them under status 429. */
const QUOTA_CODES: ReadonlySet<string> = new Set([
  "enforced_spend_limit_reached",
  "contract_spend_limit_reached",
  "linked_organization_spend_limit_reached",
  "linked_organization_billing_unavailable",
]);

/** Texts of 400s: "prompt is too long: 1000001 tokens > 1000000 maximum", "input length and `max_tokens` exceed context limit". */
const TOO_LONG =
  /(prompt|input) is too long|exceeds? (the )?context (limit|window)|exceeds? the maximum number of tokens/i;

/** What the clouds' packages say when AWS's or Google's chain ended empty-handed. */
const NO_CREDENTIALS = /^Failed to (resolve|acquire) .*credentials/;

const NETWORK_CODES: ReadonlySet<unknown> = new Set(
  "ECONNREFUSED ECONNRESET ENOTFOUND EAI_AGAIN ETIMEDOUT EPIPE".split(" "),
);

/** Sent as a plain 400 invalid_request_error. */
const NO_CREDIT = /credit balance is too low/i;

export function readAnthropicFault(error: unknown): ModelError {
  if (error instanceof ModelError) return error;
  if (error instanceof APIConnectionError && NO_CREDENTIALS.test(error.message) && !isNetworkError(error.cause)) {
    return new ModelError("authentication", `Anthropic: ${error.message}`, { cause: error });
  }
  if (error instanceof APIConnectionError || !(error instanceof APIError)) {
    // What is not the API's own error comes from the transport: a reset, a body cut short.
    return new ModelError("connection", "The connection to Anthropic broke.", { cause: error });
  }
  const message = error.apiMessage ?? error.message;
  const fault = anthropicFault({ status: error.status, type: error.type, code: error.errorCode, message });
  return new ModelError(fault, `Anthropic: ${message}`, {
    retryAfterMs: readRetryAfterMs(error.headers),
    cause: error,
  });
}

/** How Bedrock names what breaks off a stream, where no status tells. */
const BEDROCK_FAULTS: ReadonlyMap<string, ModelFault> = new Map([
  ["throttlingException", "rate-limited"],
  ["serviceQuotaExceededException", "quota"],
  ["serviceUnavailableException", "overloaded"],
  ["modelNotReadyException", "overloaded"],
  ["modelTimeoutException", "server"],
  ["modelStreamErrorException", "server"],
  ["internalServerException", "server"],
  ["accessDeniedException", "authentication"],
]);

/** The place that gives tokens may be away, as any other. */
function isNetworkError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ("code" in error && NETWORK_CODES.has(error.code)) || isNetworkError(error.cause);
}

export function anthropicFault({ status, type, code, message }: Failure): ModelFault {
  const bedrock = BEDROCK_FAULTS.get(type ?? "");
  if (bedrock) return bedrock;
  if (status === 402 || type === "billing_error" || NO_CREDIT.test(message)) return "quota";
  if (code !== null && QUOTA_CODES.has(code)) return "quota";
  if (status === 401 || status === 403) return "authentication";
  if (type === "authentication_error" || type === "permission_error") return "authentication";
  if (status === 429 || type === "rate_limit_error") return "rate-limited";
  if (status === 529 || status === 503 || type === "overloaded_error") return "overloaded";
  if (status === 413 || type === "request_too_large" || TOO_LONG.test(message)) return "window-exceeded";
  // The vendor's SDK, too, tries again after a timeout or a lock conflict.
  if (status === 408 || status === 409) return "server";
  if (status !== undefined && status < 500) return "invalid-request";
  if (type === "invalid_request_error" || type === "not_found_error" || type === "validationException")
    return "invalid-request";
  return "server";
}
