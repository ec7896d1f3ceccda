/**
 * The road of deliveries: each comes late, some come twice, and so in another order than they were sent. One that was refused is sent
 * again, as an operator would from GitHub's page of deliveries.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import type { Dice } from "./dice.ts";

const LATE_MS_MAX = 3_000;
const DOUBLED_SHARE = 0.4;
const AGAIN_MS = 500;
const TRIES_MAX = 240;

export type Mail = AsyncDisposable & {
  readonly url: string;
  readonly counts: { sent: number; doubled: number; refused: number; lost: number };
  /** Resolves when everything that was sent has been taken. */
  settled(): Promise<void>;
};

export async function openMail(dice: Dice, target: () => string): Promise<Mail> {
  const counts = { sent: 0, doubled: 0, refused: 0, lost: 0 };
  const underway = new Set<Promise<void>>();
  const closing = new AbortController();
  const carry = async (headers: Headers, body: string, lateMs: number): Promise<void> => {
    await delay(lateMs, undefined, { signal: closing.signal });
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const signal = AbortSignal.any([AbortSignal.timeout(10_000), closing.signal]);
      const answer = await fetch(target(), { method: "POST", headers, body, signal }).catch(() => null);
      if (answer?.ok) return;
      counts.refused += 1;
      await delay(AGAIN_MS, undefined, { signal: closing.signal });
    }
    counts.lost += 1;
  };
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    response.writeHead(202).end();
    const body = Buffer.concat(chunks).toString();
    const headers = new Headers(
      Object.entries(request.headers).filter(
        (pair): pair is [string, string] =>
          /^(x-|content-type|user-agent)/.test(pair[0]) && typeof pair[1] === "string",
      ),
    );
    const name = String(counts.sent++);
    const copies = dice.share(`${name} doubled`) < DOUBLED_SHARE ? 2 : 1;
    counts.doubled += copies - 1;
    for (let copy = 0; copy < copies; copy++) {
      const carried = carry(headers, body, dice.whole(`${name} late ${copy}`, 0, LATE_MS_MAX))
        .catch(() => {}) // Closed on the way.
        .finally(() => underway.delete(carried));
      underway.add(carried);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the mail has no port");
  return {
    url: `http://127.0.0.1:${address.port}/`,
    counts,
    settled: async () => {
      while (underway.size > 0) await Promise.all(underway);
    },
    [Symbol.asyncDispose]: async () => {
      closing.abort();
      server.close();
      server.closeAllConnections();
      await Promise.all(underway);
    },
  };
}
