/** One exchange: read the request, refuse it or play its turn, and note what happened. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { anthropicWire, readCountAsk } from "./anthropic.ts";
import type { Ask, Wire, WireName } from "./ask.ts";
import { isBatchCall, serveBatch } from "./batch-serve.ts";
import { chatWire } from "./chat.ts";
import { findCloudRoute, googleToken } from "./cloud.ts";
import { openaiWire } from "./openai.ts";
import type { Player, Scene } from "./player.ts";
import { readBody, requireKey, shownHeaders } from "./read-request.ts";
import { Refusal } from "./refusal.ts";
import { planReply, statusRefusal } from "./reply.ts";
import { sendAnswer, sendJson } from "./send.ts";

export type RecordedRequest = {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly wire: WireName;
  readonly path: string;
  /** Keys are cut to their last four characters. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
  /** Null when the request was refused before it was matched, or only counts tokens. */
  readonly conversation: string | null;
  readonly turn: number | null;
  readonly status: number;
};

/** A reply that left us whole: its vendor would have it paid, whether or not anybody read it. */
export type WholeReply = { readonly at: number; readonly conversation: string; readonly turn: number };

type Route = { readonly wire: Wire; readonly does: "reply" | "count"; readonly readAsk: (body: unknown) => Ask };

const ROUTES: ReadonlyMap<string, Route> = new Map<string, Route>([
  ["/messages", { wire: anthropicWire, does: "reply", readAsk: anthropicWire.readAsk }],
  ["/messages/count_tokens", { wire: anthropicWire, does: "count", readAsk: readCountAsk }],
  ["/responses", { wire: openaiWire, does: "reply", readAsk: openaiWire.readAsk }],
  ["/chat/completions", { wire: chatWire, does: "reply", readAsk: chatWire.readAsk }],
  ["/responses/input_tokens", { wire: openaiWire, does: "count", readAsk: openaiWire.readAsk }],
]);

/** Azure's paths begin with /openai. */
function findRoute(path: string): Route | undefined {
  const cloud = findCloudRoute(path);
  if (cloud) return { ...cloud, does: "reply" };
  return ROUTES.get(path.replace(/^(\/openai)?(\/v1)?(?=\/)/, ""));
}

type Exchange = {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly player: Player;
  readonly record: (request: RecordedRequest) => void;
  readonly answered: (reply: WholeReply) => void;
};

/** Never rejects. */
export async function serve({ request, response, player, record, answered }: Exchange): Promise<void> {
  if (request.url === "/google/token") return sendJson(response, 200, googleToken);
  if (isBatchCall(request.url ?? "")) return serveBatch({ request, response, player, record });
  const path = (request.url ?? "/").replace(/\?.*$/s, "");
  const route = request.method === "POST" ? findRoute(path) : undefined;
  const wire = route?.wire ?? (request.headers["anthropic-version"] ? anthropicWire : openaiWire);
  const leaving = new AbortController();
  response.once("close", () => leaving.abort());

  const known = { at: Date.now(), wire: wire.name, path, headers: shownHeaders(request.headers) };
  let body: unknown = null;
  let scene: Scene | null = null;
  const note = (status: number) =>
    record({ ...known, body, conversation: scene?.conversation ?? null, turn: scene?.index ?? null, status });
  try {
    body = await readBody(request);
    if (!route) throw new Refusal(404, `Invalid URL (${request.method ?? ""} ${path})`);
    requireKey(wire.name, request.headers);
    const ask = route.readAsk(body);
    if (route.does === "count") {
      note(200);
      sendJson(response, 200, countBody(wire, player.cache.inputTokens(ask)));
      return;
    }
    scene = player.findScene(wire, ask);
    const { conversation, index, fault } = scene;
    response.once("finish", () => {
      if (response.statusCode === 200 && !CUTTING.has(fault?.kind))
        answered({ at: Date.now(), conversation, turn: index });
    });
    await play({ wire, ask, scene, player, response, note }, leaving.signal);
  } catch (error) {
    if (leaving.signal.aborted || response.headersSent) {
      response.destroy();
      return;
    }
    const refusal = error instanceof Refusal ? inScene(error, scene) : new Refusal(500, `sim/models: ${String(error)}`);
    note(refusal.status);
    sendRefusal(response, wire, refusal);
  }
}

/** After these, what was sent is no reply. */
const CUTTING: ReadonlySet<string | undefined> = new Set(["stall", "drop", "error-event", "truncate"]);

type Playing = {
  readonly wire: Wire;
  readonly ask: Ask;
  readonly scene: Scene;
  readonly player: Player;
  readonly response: ServerResponse;
  readonly note: (status: number) => void;
};

async function play({ wire, ask, scene, player, response, note }: Playing, gone: AbortSignal): Promise<void> {
  const { turn, fault } = scene;
  if (turn.delayMs) await sleep(turn.delayMs, undefined, { signal: gone });
  if (fault?.kind === "status") throw statusRefusal(fault);
  const reply = planReply(turn, ask.tools, fault);
  const counts = player.cache.charge(wire.name, ask, { reply, usage: turn.usage });
  const answer = wire.answer(ask, reply, counts);
  response.setHeader(wire.requestIdHeader, requestId());
  for (const [name, value] of Object.entries(turn.headers ?? {})) response.setHeader(name, value);
  // Without a stream there is no event to carry the failure.
  if (fault?.kind === "error-event" && !ask.stream) throw new Refusal(529, fault.message, { type: fault.type });
  note(200);
  await sendAnswer(response, { wire, answer, fault, stream: ask.stream, chunkDelayMs: turn.chunkDelayMs ?? 0 }, gone);
}

/** What the script got wrong is found by its turn. */
function inScene(refusal: Refusal, scene: Scene | null): Refusal {
  if (!scene || !refusal.message.startsWith("sim/models: ")) return refusal;
  const { conversation, index } = scene;
  return new Refusal(refusal.status, `${refusal.message} (conversation "${conversation}", turn ${index})`, {
    headers: refusal.headers,
  });
}

function sendRefusal(response: ServerResponse, wire: Wire, refusal: Refusal): void {
  const id = requestId();
  for (const [name, value] of Object.entries(refusal.headers)) response.setHeader(name, value);
  response.setHeader(wire.requestIdHeader, id);
  sendJson(response, refusal.status, wire.errorBody(refusal, id));
}

const requestId = (): string => `req_sim_${crypto.randomUUID()}`;

const countBody = (wire: Wire, tokens: number): object =>
  wire.name === "openai" ? { object: "response.input_tokens", input_tokens: tokens } : { input_tokens: tokens };
