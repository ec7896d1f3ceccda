/** Collects the requests of several runs for a short window and sends them as one batch, each still a request of its own. */
import { ModelError } from "./model.ts";
import type { BatchItem, BatchStore, BatchWire } from "./batch-wire.ts";
import { untilAborted } from "./until-aborted.ts";

/** The vendors take 50,000 and 100,000; a worker has nowhere near as many runs, and one bad batch should not hold them all. */
const ITEMS_MAX = 1_000;

/** The vendors take 200 and 256 MB; this is held in memory some times over while it is sent. */
const BYTES_MAX = 24_000_000;

/** An upload of BYTES_MAX over a slow line; past it the vendor is not there. */
const SUBMIT_MS_MAX = 4 * 60_000;

/** A batch that could not be written down is cancelled; the vendor has this long to hear it. */
const CANCEL_MS_MAX = 15_000;

type Desk = {
  readonly wire: BatchWire;
  readonly store: BatchStore;
  readonly windowMs: number;
  readonly itemsMax?: number;
  readonly bytesMax?: number;
};

type Window = {
  readonly lines: Map<string, string>;
  bytes: number;
  readonly timer: NodeJS.Timeout;
  readonly sent: PromiseWithResolvers<void>;
};

export class BatchCollector {
  readonly #desk: Desk;
  #window: Window | null = null;

  constructor(desk: Desk) {
    this.#desk = desk;
  }

  /** Resolves when the vendor has taken the batch and the store knows it. An abort before it is sent takes the request out again. */
  async add({ key, line }: BatchItem, signal: AbortSignal): Promise<void> {
    const { itemsMax = ITEMS_MAX, bytesMax = BYTES_MAX } = this.#desk;
    const bytes = Buffer.byteLength(line);
    if (this.#window && this.#window.bytes + bytes > bytesMax) this.#close(this.#window);
    const window = (this.#window ??= this.#open());
    window.lines.set(key, line);
    window.bytes += bytes;
    if (window.lines.size >= itemsMax || window.bytes >= bytesMax) this.#close(window);

    try {
      await untilAborted(window.sent.promise, signal);
    } catch (error) {
      if (signal.aborted && window.lines.delete(key)) await this.#desk.store.unclaim([key]);
      throw error;
    }
  }

  #open(): Window {
    const sent = Promise.withResolvers<void>();
    sent.promise.catch(() => {}); // Everyone who waited may have gone.
    const timer = setTimeout(() => this.#close(window), this.#desk.windowMs);
    const window: Window = { lines: new Map(), bytes: 0, timer, sent };
    return window;
  }

  #close(window: Window): void {
    if (this.#window === window) this.#window = null;
    clearTimeout(window.timer);
    const items = [...window.lines].map(([key, line]) => ({ key, line }));
    window.lines.clear(); // From here on an abort leaves the question with the vendor.
    this.#send(items).then(window.sent.resolve, window.sent.reject);
  }

  async #send(items: readonly BatchItem[]): Promise<void> {
    if (items.length === 0) return;
    const { wire, store } = this.#desk;
    const keys = items.map(({ key }) => key);
    const lines = items.map(({ line }) => line);
    const batchId = await this.#submit(lines).catch(async (error: unknown) => {
      await store.unclaim(keys);
      throw error;
    });
    try {
      await store.place(keys, batchId);
    } catch (error) {
      // Nobody would ever find it, and it would be paid.
      await wire.cancel(batchId, AbortSignal.timeout(CANCEL_MS_MAX)).catch(() => {});
      throw error;
    }
  }

  async #submit(lines: readonly string[]): Promise<string> {
    const signal = AbortSignal.timeout(SUBMIT_MS_MAX);
    try {
      return await this.#desk.wire.submit(lines, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
      throw new ModelError("stalled", `The vendor did not take a batch within ${SUBMIT_MS_MAX / 1000} s.`);
    }
  }
}
