/** The parts of an HTTP request that both wires share: its body and its key. */
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { WireName } from "./ask.ts";
import { requireCloudKey } from "./cloud.ts";
import { Refusal } from "./refusal.ts";

/** Anthropic's limit on a request. */
const BODY_BYTES_MAX = 32 * 1024 * 1024;

export async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request) {
    bytes += piece.length;
    if (bytes > BODY_BYTES_MAX) throw new Refusal(413, "Request exceeds the maximum size");
    chunks.push(piece);
  }
  const text = Buffer.concat(chunks).toString("utf8");
  if (text === "") return null;
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, "The request body is not valid JSON", { type: "invalid_request_error" });
  }
}

export function requireKey(wire: WireName, headers: IncomingHttpHeaders): void {
  if (wire === "bedrock" || wire === "vertex") return requireCloudKey(wire, headers);
  if (wire === "compatible") return; // Such servers are started without a key more often than with one.
  const bearer = /^Bearer .+$/.test(headers.authorization ?? "");
  if (wire === "openai") {
    // Azure's header.
    if (!bearer && !headers["api-key"])
      throw new Refusal(401, "You didn't provide an API key.", { type: "invalid_request_error" });
    return;
  }
  if (!headers["x-api-key"] && !bearer) {
    throw new Refusal(401, "x-api-key header is required", { type: "authentication_error" });
  }
  if (!headers["anthropic-version"]) {
    throw new Refusal(400, "anthropic-version: header is required", { type: "invalid_request_error" });
  }
}

/** No record holds a key. */
export function shownHeaders(headers: IncomingHttpHeaders): Readonly<Record<string, string>> {
  const shown = Object.entries(headers).map(([name, value]) => {
    const text = String(value);
    return [name, SECRET_HEADERS.has(name) ? `…${text.length > 12 ? text.slice(-4) : ""}` : text] as const;
  });
  return Object.fromEntries(shown);
}

const SECRET_HEADERS: ReadonlySet<string> = new Set(["x-api-key", "api-key", "authorization", "cookie"]);
