/** Chance that can be played again: every throw is named, so that the same seed gives the same throw whatever else was thrown before. */
import { createHash } from "node:crypto";

export class Dice {
  readonly #seed: string;

  constructor(seed: string) {
    this.#seed = seed;
  }

  /** Dice of their own for one part of the play. */
  named(name: string): Dice {
    return new Dice(`${this.#seed}/${name}`);
  }

  /** From 0 up to, and without, 1. */
  share(name: string): number {
    return createHash("sha256").update(`${this.#seed}/${name}`).digest().readUInt32BE() / 2 ** 32;
  }

  /** Whole, `from` and `to` among them. */
  whole(name: string, from: number, to: number): number {
    return from + Math.floor(this.share(name) * (to - from + 1));
  }

  pick<T>(name: string, from: readonly [T, ...T[]]): T {
    return from[this.whole(name, 0, from.length - 1)] ?? from[0];
  }
}
