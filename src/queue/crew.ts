/** The runs of one process: takes the next task while it has a hand free, and keeps its claims alive while they run. */
import type { Claim } from "./line.ts";
import * as limits from "./limits.ts";

export type CrewParts = {
  readonly concurrency: number;
  /** At most `max`; [] when there is nothing to take. */
  readonly claim: (max: number) => Promise<readonly Claim[]>;
  /** The ids of those claims that are still ours. */
  readonly touch: (claims: readonly Claim[]) => Promise<ReadonlySet<string>>;
  readonly perform: (claim: Claim, signal: AbortSignal) => Promise<void>;
  readonly onError: (error: unknown) => void;
};

type Running = { readonly claim: Claim; readonly lost: AbortController; readonly ended: Promise<void> };

export class Crew {
  readonly #parts: CrewParts;
  readonly #running = new Map<string, Running>();
  readonly #heart: NodeJS.Timeout;
  readonly #taking: Promise<void>;
  #isOff = false;
  #isWoken = false;
  #wake: () => void = () => {};

  constructor(parts: CrewParts) {
    this.#parts = parts;
    this.#heart = setInterval(() => void this.#beat(), limits.HEARTBEAT_REFRESH_SECONDS * 1000);
    this.#taking = this.#takeAll();
  }

  /** Something may be due. */
  wake(): void {
    this.#isWoken = true;
    this.#wake();
  }

  abort(id: string, reason: Error): void {
    this.#running.get(id)?.lost.abort(reason);
  }

  /** Takes no more. Resolves when everything that runs has ended; what runs keeps its claim meanwhile. */
  async off(): Promise<void> {
    this.#isOff = true;
    this.wake();
    await this.#taking;
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
    clearInterval(this.#heart);
  }

  /** For runs that do not end: what they do counts for nothing from now on, and another worker finds their claims dead. */
  [Symbol.dispose](): void {
    clearInterval(this.#heart);
  }

  async #takeAll(): Promise<void> {
    while (!this.#isOff) {
      this.#isWoken = false;
      const free = this.#parts.concurrency - this.#running.size;
      if (free <= 0 || !(await this.#take(free))) await this.#rest();
    }
  }

  /** False when there was nothing to take. */
  async #take(max: number): Promise<boolean> {
    try {
      const claims = await this.#parts.claim(max);
      for (const claim of claims) this.#start(claim);
      return claims.length > 0;
    } catch (error) {
      this.#parts.onError(error);
      return false;
    }
  }

  #start(claim: Claim): void {
    const lost = new AbortController();
    const ended = this.#parts
      .perform(claim, lost.signal)
      .catch((error: unknown) => this.#parts.onError(error))
      .finally(() => {
        // The same task may have come back to us while this run of it, whose claim was lost, was still cleaning up.
        if (this.#running.get(claim.id)?.claim === claim) this.#running.delete(claim.id);
        this.wake();
      });
    this.#running.set(claim.id, { claim, lost, ended });
  }

  /** Until someone wakes us, or for a while: notifications do not pass every pooler, and a wait may be over. */
  async #rest(): Promise<void> {
    if (this.#isWoken) return;
    const woken = Promise.withResolvers<void>();
    const timer = setTimeout(woken.resolve, limits.POLL_MS * (0.75 + Math.random() / 2)); // Workers that started together spread.
    this.#wake = woken.resolve;
    await woken.promise;
    clearTimeout(timer);
  }

  async #beat(): Promise<void> {
    const held = [...this.#running.values()].filter(({ lost }) => !lost.signal.aborted);
    if (held.length === 0) return;
    try {
      const ours = await this.#parts.touch(held.map(({ claim }) => claim));
      for (const { claim, lost } of held) {
        if (!ours.has(claim.id)) lost.abort(new Error(`task ${claim.id} was cancelled or is another worker's by now`));
      }
    } catch (error) {
      this.#parts.onError(error); // A heartbeat that could not be sent says nothing about the claims.
    }
  }
}
