/** Deliveries to the App's webhook URL: signed, logged, tried once. Like GitHub, it never redelivers by itself. */
import { createHmac, randomUUID } from "node:crypto";

/** GitHub ends the connection after ten seconds. */
const ANSWER_LIMIT_MS = 10_000;

export type WebhookEvent = {
  readonly event: string;
  readonly action: string | null;
  readonly installationId: number | null;
  readonly repositoryId: number | null;
  readonly payload: Readonly<Record<string, unknown>>;
};

export type Delivery = WebhookEvent & {
  readonly id: number;
  readonly guid: string;
  readonly deliveredAt: string;
  readonly redelivery: boolean;
  readonly headers: Readonly<Record<string, string>>;
  /** "OK" for any 2xx; null while the answer is awaited. */
  status: string | null;
  statusCode: number;
  durationS: number;
  response: { readonly headers: Readonly<Record<string, string>>; readonly payload: string } | null;
};

type Parts = {
  readonly secret: string;
  readonly url: string | null;
  readonly appId: number;
  readonly enterpriseHost: () => string;
  readonly nextId: () => number;
  readonly now: () => number;
  readonly time: () => string;
};

export class Webhooks {
  readonly log: Delivery[] = [];
  readonly #parts: Parts;
  readonly #pending = new Set<Promise<void>>();
  readonly #hookId: number;
  readonly #closing = new AbortController();
  #url: string | null;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#url = parts.url;
    this.#hookId = parts.nextId();
  }

  get url(): string | null {
    return this.#url;
  }

  setUrl(url: string | null): void {
    this.#url = url;
  }

  send(event: WebhookEvent): Delivery {
    return this.#deliver(event, randomUUID(), false);
  }

  /** The same delivery again: same GUID, same payload, a new id. Null when there is none. */
  redeliver(id: number): Delivery | null {
    const first = this.log.find((delivery) => delivery.id === id);
    return first ? this.#deliver(first, first.guid, true) : null;
  }

  /** Resolves when every delivery has been answered, those included that the answers brought about. */
  async settled(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.settled();
  }

  #deliver(event: WebhookEvent, guid: string, redelivery: boolean): Delivery {
    const body = JSON.stringify(event.payload);
    const delivery: Delivery = {
      id: this.#parts.nextId(),
      guid,
      deliveredAt: this.#parts.time(),
      redelivery,
      event: event.event,
      action: event.action,
      installationId: event.installationId,
      repositoryId: event.repositoryId,
      payload: event.payload,
      headers: this.#headers(event.event, guid, body),
      status: null,
      statusCode: 0,
      durationS: 0,
      response: null,
    };
    this.log.push(delivery);
    const sending = this.#post(delivery, body).finally(() => this.#pending.delete(sending));
    this.#pending.add(sending);
    return delivery;
  }

  #headers(event: string, guid: string, body: string): Readonly<Record<string, string>> {
    const sign = (hash: string) => createHmac(hash, this.#parts.secret).update(body).digest("hex");
    return {
      accept: "*/*",
      "content-type": "application/json",
      "user-agent": `GitHub-Hookshot/${guid.slice(0, 7)}`,
      "x-github-delivery": guid,
      "x-github-event": event,
      "x-github-hook-id": String(this.#hookId),
      "x-github-hook-installation-target-id": String(this.#parts.appId),
      "x-github-hook-installation-target-type": "integration",
      "x-github-enterprise-host": this.#parts.enterpriseHost(),
      "x-hub-signature": `sha1=${sign("sha1")}`,
      "x-hub-signature-256": `sha256=${sign("sha256")}`,
    };
  }

  async #post(delivery: Delivery, body: string): Promise<void> {
    const startedAt = this.#parts.now();
    // A turn of the event loop later, so that what caused the delivery is answered first, as on GitHub.
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#url === null) {
      Object.assign(delivery, { status: "failed to connect to host", statusCode: 502 });
      return;
    }
    const signal = AbortSignal.any([AbortSignal.timeout(ANSWER_LIMIT_MS), this.#closing.signal]);
    try {
      const answer = await fetch(this.#url, {
        method: "POST",
        headers: delivery.headers,
        body,
        signal,
        redirect: "manual",
      });
      delivery.response = { headers: Object.fromEntries(answer.headers), payload: await answer.text() };
      delivery.statusCode = answer.status;
      delivery.status = answer.ok ? "OK" : `Invalid HTTP Response: ${answer.status}`;
    } catch {
      // fetch rejects with many shapes; GitHub's log knows two.
      delivery.statusCode = signal.aborted ? 504 : 502;
      delivery.status = signal.aborted ? "timed out" : "failed to connect to host";
    }
    delivery.durationS = (this.#parts.now() - startedAt) / 1000;
  }
}
