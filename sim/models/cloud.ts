/**
 * Claude as Bedrock and Vertex AI serve it: the Messages API with the model in the path, the version in the body, the cloud's own
 * credentials and, at Bedrock, AWS's frames and error names. Signatures are looked at, not recomputed.
 */
import type { IncomingHttpHeaders } from "node:http";
import { z } from "zod";
import { anthropicWire } from "./anthropic.ts";
import type { Ask, Wire, WireEvent } from "./ask.ts";
import { awsFrame } from "./aws-frames.ts";
import { Refusal } from "./refusal.ts";

const BEDROCK_PATH = /^\/model\/([^/]+)\/invoke-with-response-stream$/;
const VERTEX_PATH =
  /^\/(?:v1\/)?projects\/[^/]+\/locations\/[^/]+\/publishers\/anthropic\/models\/([^/:]+):streamRawPredict$/;

export type CloudRoute = { readonly wire: Wire; readonly readAsk: (body: unknown) => Ask };

/** Null for a path of neither cloud. */
export function findCloudRoute(path: string): CloudRoute | null {
  const [, bedrock] = BEDROCK_PATH.exec(path) ?? [];
  if (bedrock) return { wire: bedrockWire, readAsk: (body) => readAsk(body, bedrock) };
  const [, vertex] = VERTEX_PATH.exec(path) ?? [];
  return vertex ? { wire: vertexWire, readAsk: (body) => readAsk(body, vertex) } : null;
}

/** A date, with the cloud's name before it in the clouds' own documents and without in what the packages send. */
const Body = z.looseObject({ anthropic_version: z.string().regex(/^(bedrock-|vertex-)?\d{4}-\d\d-\d\d$/) });

function readAsk(body: unknown, model: string): Ask {
  const { success, data } = Body.safeParse(body);
  if (!success) throw wrong("anthropic_version: Field required");
  const { anthropic_version: _, ...rest } = data;
  // Neither cloud has it in its documents.
  if ("diagnostics" in rest) throw wrong("diagnostics: Extra inputs are not permitted");
  return anthropicWire.readAsk({ ...rest, model: decodeURIComponent(model), stream: true });
}

const wrong = (message: string): Refusal => new Refusal(400, message, { type: "invalid_request_error" });

const bedrockWire: Wire = {
  ...anthropicWire,
  name: "bedrock",
  contentType: "application/vnd.amazon.eventstream",
  errorBody: ({ message }) => ({ message }),
  requestIdHeader: "x-amzn-requestid",
  windowRefusal: () => wrong("Input is too long for requested model."),
  frame,
};

const vertexWire: Wire = { ...anthropicWire, name: "vertex" };

const EXCEPTIONS: ReadonlyMap<string, string> = new Map([
  ["overloaded_error", "serviceUnavailableException"],
  ["rate_limit_error", "throttlingException"],
  ["invalid_request_error", "validationException"],
]);
const Broken = z.object({ type: z.literal("error"), error: z.object({ type: z.string(), message: z.string() }) });

function frame(event: WireEvent): Buffer {
  const failure = Broken.safeParse(event).data?.error;
  if (failure) {
    const kind = EXCEPTIONS.get(failure.type) ?? "internalServerException";
    return awsFrame({ ":message-type": "exception", ":exception-type": kind }, { message: failure.message });
  }
  const bytes = Buffer.from(JSON.stringify(event)).toString("base64");
  return awsFrame({ ":message-type": "event", ":event-type": "chunk", ":content-type": "application/json" }, { bytes });
}

/** Version 4 of AWS's signature, of this service, over the host. */
const SIGNED =
  /^AWS4-HMAC-SHA256 Credential=[^/]+\/\d{8}\/[a-z0-9-]+\/bedrock\/aws4_request, SignedHeaders=[^,]*\bhost\b[^,]*, Signature=[0-9a-f]{64}$/;

export function requireCloudKey(wire: "bedrock" | "vertex", headers: IncomingHttpHeaders): void {
  const { authorization = "" } = headers;
  if (wire === "bedrock" && !(SIGNED.test(authorization) && headers["x-amz-date"])) {
    throw new Refusal(403, "The request signature we calculated does not match the signature you provided.");
  }
  if (wire === "vertex" && authorization !== `Bearer ${GOOGLE_TOKEN}`) {
    throw new Refusal(401, "Request had invalid authentication credentials.", { type: "authentication_error" });
  }
}

/** What Google's token endpoint gives here for any proof of identity. */
export const GOOGLE_TOKEN = "ya29.sim-models-token";
export const googleToken = {
  access_token: GOOGLE_TOKEN,
  expires_in: 3600,
  token_type: "Bearer",
  issued_token_type: "urn:ietf:params:oauth:token-type:access_token",
};
