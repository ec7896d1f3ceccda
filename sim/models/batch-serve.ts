/** One call of a batch API: whose it is, what it says, and a note of it. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { anthropicWire } from "./anthropic.ts";
import { ANTHROPIC_BATCHES, answerAnthropic } from "./batch-anthropic.ts";
import { answerOpenai, OPENAI_BATCHES } from "./batch-openai.ts";
import { sendBatchAnswer } from "./batch.ts";
import { openaiWire } from "./openai.ts";
import type { Player } from "./player.ts";
import { readBody, requireKey, shownHeaders } from "./read-request.ts";
import { Refusal } from "./refusal.ts";
import { sendJson } from "./send.ts";
import type { RecordedRequest } from "./serve.ts";

type Exchange = {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly player: Player;
  readonly record: (request: RecordedRequest) => void;
};

const below = (url: string): string => url.replace(/\?.*$/s, "").replace(/^\/v1(?=\/)/, "");

export const isBatchCall = (url: string): boolean =>
  ANTHROPIC_BATCHES.test(below(url)) || OPENAI_BATCHES.test(below(url));

/** Never rejects. */
export async function serveBatch({ request, response, player, record }: Exchange): Promise<void> {
  const url = request.url ?? "/";
  const isAnthropic = ANTHROPIC_BATCHES.test(below(url));
  const wire = isAnthropic ? anthropicWire : openaiWire;
  const known = { at: Date.now(), wire: wire.name, path: url.replace(/\?.*$/s, ""), conversation: null, turn: null };
  let body: unknown = null;
  const note = (status: number) => record({ ...known, headers: shownHeaders(request.headers), body, status });
  try {
    body = await readUpload(request);
    requireKey(wire.name, request.headers);
    const call = { request, player, method: request.method ?? "GET", path: below(url), body };
    const answer = isAnthropic ? answerAnthropic(call) : answerOpenai(call);
    note(200);
    sendBatchAnswer(response, answer);
  } catch (error) {
    const refusal = error instanceof Refusal ? error : new Refusal(500, `sim/models: ${String(error)}`);
    note(refusal.status);
    sendJson(response, refusal.status, wire.errorBody(refusal, "req_sim_batch"));
  }
}

/** Only OpenAI's files come as a form. */
async function readUpload(request: IncomingMessage): Promise<unknown> {
  const type = request.headers["content-type"] ?? "";
  if (!type.startsWith("multipart/form-data")) return readBody(request);
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const form = await new Response(Buffer.concat(chunks), { headers: { "content-type": type } }).formData();
  const file = form.get("file");
  if (!(file instanceof File)) throw new Refusal(400, "'file' is a required property");
  return { name: file.name, text: await file.text(), purpose: String(form.get("purpose")) };
}
