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

/** A string is a proxy's page. */
export function sendJson(response: ServerResponse, status: number, body: object | string): void {
  const isPage = typeof body === "string";
  response.writeHead(status, { "content-type": isPage ? "text/html" : "application/json" });
  response.end(isPage ? body : JSON.stringify(body));
}

async function streamAnswer(response: ServerResponse, sending: Sending, gone: AbortSignal): Promise<void> {
  const { wire, answer, fault, chunkDelayMs } = sending;
  response.writeHead(200, { "content-type": wire.contentType, "cache-control": "no-cache" });
  response.flushHeaders();
  for (const event of eventsToSend(sending)) {
    await sendEvent(response, wire.frame(event), gone);
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
      await sendEvent(response, wire.frame(wire.failureEvent(fault, answer, fault.afterEvents)), gone);
  }
  response.end(fault?.kind === "truncate" ? "" : wire.closing);
}

function eventsToSend({ wire, answer: { events, endsAt }, fault }: Sending): readonly WireEvent[] {
  switch (fault?.kind) {
    case "stall":
    case "drop":
    case "error-event":
      return events.slice(0, Math.min(fault.afterEvents, endsAt));
    case "truncate":
      return events.slice(0, endsAt);
    case "unknown-event":
      return [wire.unknownEvent, ...events];
    default:
      return events;
  }
}

async function sendEvent(response: ServerResponse, bytes: string | Buffer, gone: AbortSignal): Promise<void> {
  gone.throwIfAborted();
  const isTaken = response.write(bytes);
  if (!isTaken) await once(response, "drain", { signal: gone });
}
