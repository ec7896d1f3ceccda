/** Writes a session's egress decisions to the journal while they are made: each different one once, and only so many. */
import type { EgressDecision, Journal } from "../journal.ts";

export type EgressPhase = "set-up" | "agent";

/** A hostile set-up may ask for a million names; people read the first ones. */
const DECISIONS_MAX = 100;

export class EgressLog implements AsyncDisposable {
  readonly #journal: Journal;
  readonly #phase: EgressPhase;
  readonly #seen = new Set<string>();
  readonly #denied: EgressDecision[] = [];
  #writing: Promise<void> = Promise.resolve();

  constructor(journal: Journal, phase: EgressPhase) {
    this.#journal = journal;
    this.#phase = phase;
  }

  get denied(): readonly EgressDecision[] {
    return this.#denied;
  }

  readonly take = (decision: EgressDecision): void => {
    const key = JSON.stringify(decision);
    if (this.#seen.has(key) || this.#seen.size > DECISIONS_MAX) return;
    this.#seen.add(key);
    const isLast = this.#seen.size > DECISIONS_MAX;
    const told = isLast ? { ...decision, host: "*", port: 0, why: `more than ${DECISIONS_MAX} kinds` } : decision;
    if (told.verdict === "denied") this.#denied.push(told);
    const entry = { kind: "egress", phase: this.#phase, ...told } as const;
    this.#writing = this.#writing.then(() => this.#journal.append(entry));
    this.#writing.catch(() => {}); // Whoever waits for the writing has the error.
  };

  /** Resolves when all decisions so far are durable. */
  written(): Promise<void> {
    return this.#writing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
  }
}
