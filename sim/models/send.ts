/** Puts an answer on the wire, whole or event by event, and misbehaves as the script says. */
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Answer, Wire, WireEvent } from "./ask.ts";
import type { Fault } from "./script.ts";

type Sending = {
  readonly wire: Wire;
  readonly answer: Answer;
  readonly fault: Fault | null;
  readonly stream: boolean;
  readonly chunkDelayMs: number;
};

/** Throws when the client has gone. */
export async function sendAnswer(response: ServerResponse, sending: Sending, gone: AbortSignal): Promise<void> {
  if (sending.stream) return streamAnswer(response, sending, gone);
  switch (sending.fault?.kind) {
    case "stall":
      return; // The socket stays open until the client or `close` ends it.
    case "drop":
    case "truncate":
      response.destroy();
      return;
    default:
      sendJson(response, 200, sending.answer.whole);
  }
}

export function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

async function streamAnswer(response: ServerResponse, sending: Sending, gone: AbortSignal): Promise<void> {
  const { wire, answer, fault, chunkDelayMs } = sending;
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" });
  response.flushHeaders();
  for (const event of eventsToSend(answer, fault)) {
    await sendEvent(response, event, gone);
    if (chunkDelayMs > 0) await sleep(chunkDelayMs, undefined, { signal: gone });
  }
  switch (fault?.kind) {
    case "stall":
      return;
    case "drop":
      // What was sent must arrive, or the client would see another number of events.
      response.socket?.destroySoon();
      return;
    case "error-event":
      await sendEvent(response, wire.failureEvent(fault, answer, fault.afterEvents), gone);
  }
  response.end();
}

function eventsToSend({ events, endsAt }: Answer, fault: Fault | null): readonly WireEvent[] {
  switch (fault?.kind) {
    case "stall":
    case "drop":
    case "error-event":
      return events.slice(0, Math.min(fault.afterEvents, endsAt));
    case "truncate":
      return events.slice(0, endsAt);
    case "unknown-event":
      return [UNKNOWN_EVENT, ...events];
    default:
      return events;
  }
}

/** Vendors add event types without notice; a client must skip what it does not know. */
const UNKNOWN_EVENT = { type: "something_new", detail: { depth: 1 } };

async function sendEvent(response: ServerResponse, event: WireEvent, gone: AbortSignal): Promise<void> {
  gone.throwIfAborted();
  const isTaken = response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  if (!isTaken) await once(response, "drain", { signal: gone });
}
