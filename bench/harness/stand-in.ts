/**
 * The model of the bench: a process of its own that answers Messages, Responses and Chat Completions with the scripted session and
 * records every request. A session is named by its address: /NAME/TURNS/v1/messages. `GET /NAME/records` hands the record out once.
 * It checks nothing, unlike sim/models: other harnesses speak dialects. The two vendors' answers are sim/models' own.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { once } from "node:events";
import { anthropicWire } from "../../sim/models/anthropic.ts";
import type { Wire } from "../../sim/models/ask.ts";
import { openaiWire } from "../../sim/models/openai.ts";
import { PromptCache } from "../../sim/models/prompt-cache.ts";
import type { Reply } from "../../sim/models/reply.ts";
import { sendAnswer } from "../../sim/models/send.ts";
import { sendChat } from "./chat.ts";
import { nextWords, type Said } from "./play.ts";
import { readPrompt, toAsk, type Prompt, type WireName } from "./prompt.ts";

/** Times are of CLOCK_MONOTONIC, in milliseconds, so that another process can compare them with its own. */
export type Record = {
  readonly path: string;
  readonly wire: WireName | null;
  readonly at: number;
  readonly endedAt: number;
  readonly bytes: number;
  /** As sent; "" for what is no request for a reply. */
  readonly body: string;
  readonly isSide: boolean;
};

const WIRES: ReadonlyMap<string, WireName> = new Map([
  ["/v1/messages", "anthropic"],
  ["/v1/responses", "responses"],
  ["/v1/chat/completions", "chat"],
]);

const sessions = new Map<string, Record[]>();
const caches = new Map<string, PromptCache>();

const clockMs = (): number => Number(process.hrtime.bigint()) / 1e6;

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => {
    console.error(error);
    response.destroy();
  });
});
server.keepAliveTimeout = 600_000; // A command that takes long must not cost its harness a new connection.
server.listen(0, "127.0.0.1");
await once(server, "listening");
const address = server.address();
if (address === null || typeof address === "string") throw new Error("the stand-in has no port");
process.stdout.write(`http://127.0.0.1:${address.port}\n`);

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const at = clockMs();
  const [, name = "", second = "", ...rest] = (request.url ?? "/").replace(/\?.*$/s, "").split("/");
  if (second === "records") {
    response.end(JSON.stringify(sessions.get(name) ?? []));
    sessions.delete(name);
    caches.delete(name);
    return;
  }
  const chunks: Buffer[] = [];
  for await (const piece of request) chunks.push(piece);
  const raw = Buffer.concat(chunks);
  const path = `/${rest.join("/")}`;
  const wire = request.method === "POST" ? (WIRES.get(path) ?? null) : null;
  const note = (body: string, isSide: boolean) => {
    const record = { path: `${request.method ?? ""} ${path}`, wire, at, endedAt: clockMs(), bytes: raw.length };
    sessions.set(name, [...(sessions.get(name) ?? []), { ...record, body, isSide }]);
  };
  if (wire === null) {
    note("", true);
    response.writeHead(404, { "content-type": "application/json" }).end(`{"error":{"message":"not here"}}`);
    return;
  }
  const text = raw.toString("utf8");
  const prompt = readPrompt(wire, JSON.parse(text));
  const said = nextWords(prompt, Number(second));
  await send(response, { prompt, said, name });
  note(text, said.isSide);
}

type Sending = { readonly prompt: Prompt; readonly said: Said; readonly name: string };

async function send(response: ServerResponse, { prompt, said, name }: Sending): Promise<void> {
  const cache = caches.get(name) ?? new PromptCache(4);
  caches.set(name, cache);
  const { call } = said;
  const reply: Reply = {
    parts: [
      { kind: "text", text: said.text },
      ...(call
        ? [{ kind: "call", call: { kind: "function", ...call }, text: JSON.stringify(call.input) } as const]
        : []),
    ],
    stop: call ? "tool_use" : "end_turn",
  };
  const wire: Wire = prompt.wire === "anthropic" ? anthropicWire : openaiWire;
  const ask = toAsk(prompt);
  const counts = cache.charge(wire.name, ask, { reply, usage: undefined });
  if (prompt.wire === "chat") {
    const input = counts.input + counts.cachedRead + counts.cacheWrite;
    sendChat(response, prompt, said, { input, output: counts.output });
    return;
  }
  const sending = {
    wire,
    answer: wire.answer(ask, reply, counts),
    fault: null,
    stream: prompt.stream,
    chunkDelayMs: 0,
  };
  await sendAnswer(response, sending, new AbortController().signal);
}
