/** One connection that hears PostgreSQL's NOTIFY for everyone in the process, and comes back by itself when it is lost. */
import type { Client } from "pg";

const RECONNECT_MS_MIN = 250;
const RECONNECT_MS_MAX = 10_000;

type Hear = (payload: string) => void;

export class Listener {
  readonly #connect: () => Promise<Client>;
  readonly #channels = new Map<string, Set<Hear>>();
  #client: Promise<Client> | null = null;
  #reconnect: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(connect: () => Promise<Client>) {
    this.#connect = connect;
  }

  /** Rejects when the first connection cannot be made; after that it mends itself and calls `hear("")`. */
  async listen(channel: string, hear: Hear): Promise<() => Promise<void>> {
    const client = await (this.#client ??= this.#open());
    const hearers = this.#channels.get(channel) ?? new Set();
    this.#channels.set(channel, hearers.add(hear));
    try {
      if (hearers.size === 1) await client.query(`LISTEN ${client.escapeIdentifier(channel)}`);
    } catch (error) {
      hearers.delete(hear);
      throw error;
    }
    return async () => {
      if (!hearers.delete(hear) || hearers.size > 0 || this.#closed) return;
      this.#channels.delete(channel);
      const current = await this.#client?.catch(() => null);
      await current?.query(`UNLISTEN ${current.escapeIdentifier(channel)}`).catch(() => {}); // A lost connection listens to nothing.
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#reconnect) clearTimeout(this.#reconnect);
    const client = await this.#client?.catch(() => null);
    client?.removeAllListeners("end");
    await client?.end();
  }

  async #open(): Promise<Client> {
    try {
      const client = await this.#connect();
      client.on("error", () => {}); // "end" follows, and is where we act.
      client.once("end", () => this.#comeBack(RECONNECT_MS_MIN));
      client.on("notification", ({ channel, payload }) => {
        for (const hear of this.#channels.get(channel) ?? []) hear(payload ?? "");
      });
      for (const channel of this.#channels.keys()) await client.query(`LISTEN ${client.escapeIdentifier(channel)}`);
      return client;
    } catch (error) {
      this.#client = null;
      throw error;
    }
  }

  #comeBack(afterMs: number): void {
    if (this.#closed) return;
    this.#client = null;
    this.#reconnect = setTimeout(() => {
      this.#client = this.#open();
      this.#client.then(
        () => [...this.#channels.values()].forEach((hearers) => hearers.forEach((hear) => hear(""))),
        () => this.#comeBack(Math.min(afterMs * 2, RECONNECT_MS_MAX)),
      );
    }, afterMs);
  }
}
