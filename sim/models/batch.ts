/** What the batches of both vendors share: a shelf that keeps them, the play of one item, and how an answer leaves. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Wire } from "./ask.ts";
import type { Player } from "./player.ts";
import { Refusal } from "./refusal.ts";
import { planReply, statusRefusal } from "./reply.ts";
import { sendJson } from "./send.ts";

export type BatchItem = { readonly key: string; readonly params: unknown };

export type ItemEnd =
  | { readonly kind: "succeeded"; readonly whole: object }
  | { readonly kind: "errored"; readonly refusal: Refusal }
  | { readonly kind: "canceled" }
  | { readonly kind: "expired" };

export type Shelved = {
  readonly id: string;
  readonly items: readonly BatchItem[];
  /** Epoch seconds. */
  readonly createdAt: number;
  /** Of OpenAI's batches. */
  readonly inputFile: string;
  /** What is wrong with the whole of it, in OpenAI's words. */
  readonly failure: { readonly code: string; readonly message: string; readonly line: number } | null;
  polls: number;
  isCancelled: boolean;
  ends: ReadonlyMap<string, ItemEnd> | null;
  files: { readonly output: string | null; readonly errors: string | null } | null;
};

export class BatchShelf {
  readonly batches = new Map<string, Shelved>();
  /** File id -> its text. */
  readonly files = new Map<string, { readonly name: string; readonly text: string; readonly purpose: string }>();
  #made = 0;

  add(batch: Pick<Shelved, "items" | "inputFile" | "failure"> & { readonly prefix: string }): Shelved {
    const { prefix, ...rest } = batch;
    const createdAt = Math.floor(Date.now() / 1000);
    const shelved: Shelved = {
      ...{ ...rest, id: this.#id(prefix), createdAt },
      ...{ polls: 0, isCancelled: false, ends: null, files: null },
    };
    this.batches.set(shelved.id, shelved);
    return shelved;
  }

  addFile(name: string, text: string, purpose: string): string {
    const id = this.#id("file-");
    this.files.set(id, { name, text, purpose });
    return id;
  }

  #id(prefix: string): string {
    this.#made += 1;
    return `${prefix}sim${this.#made}`;
  }
}

/** Each look at a batch brings it on; after as many as the script says, or a cancellation, its items are played. */
export function look(batch: Shelved, wire: Wire, player: Player): void {
  batch.polls += 1;
  if (batch.ends !== null || batch.failure !== null) return;
  if (batch.polls <= player.batch.polls && !batch.isCancelled) return;
  const end = ({ params }: BatchItem): ItemEnd =>
    batch.isCancelled ? { kind: "canceled" } : playItem(wire, player, params);
  batch.ends = new Map(batch.items.map((item) => [item.key, end(item)]));
}

function playItem(wire: Wire, player: Player, params: unknown): ItemEnd {
  try {
    const ask = wire.readAsk(params);
    if (ask.stream) throw new Refusal(400, "stream: not supported in a batch", { type: "invalid_request_error" });
    const { turn, fault } = player.findScene(wire, ask);
    switch (fault?.kind) {
      case "status":
        throw statusRefusal(fault);
      case "error-event":
        throw new Refusal(529, fault.message, { type: fault.type });
      case "unanswered":
        return { kind: fault.how };
    }
    const reply = planReply(turn, ask.tools, fault);
    const counts = player.cache.charge(wire.name, ask, { reply, usage: turn.usage });
    return { kind: "succeeded", whole: wire.answer(ask, reply, counts).whole };
  } catch (error) {
    if (error instanceof Refusal) return { kind: "errored", refusal: error };
    throw error;
  }
}

export type BatchCall = {
  readonly request: IncomingMessage;
  readonly player: Player;
  readonly method: string;
  /** Below the version: "/batches/batch_1/cancel". */
  readonly path: string;
  readonly body: unknown;
};

/** JSON, or the text of a file. */
export type BatchAnswer =
  { readonly kind: "json"; readonly body: object } | { readonly kind: "text"; readonly text: string };

export function sendBatchAnswer(response: ServerResponse, answer: BatchAnswer): void {
  if (answer.kind === "json") return sendJson(response, 200, answer.body);
  response.writeHead(200, { "content-type": "application/octet-stream" });
  response.end(answer.text);
}

export const toLines = (values: readonly object[]): string =>
  values.map((value) => `${JSON.stringify(value)}\n`).join("");
