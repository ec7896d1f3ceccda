/** What bubblewrap reports on its status descriptor: JSON documents with "child-pid" and, at the end, "exit-code". */
import { once } from "node:events";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";

/** The report is in the pipe when the launcher has ended; the wait is for the event loop. */
const REPORT_WAIT_MS = 1000;

export class LaunchStatus {
  readonly #source: Readable;
  readonly #ended: Promise<unknown>;
  #text = "";

  constructor(source: Readable) {
    this.#source = source;
    source.setEncoding("utf8").on("data", (text: string) => (this.#text += text));
    this.#ended = once(source, "close").catch(() => {}); // A broken pipe has told all it will.
  }

  /** Process 1 of the sandbox as the host numbers it; null until reported. */
  get namespacePid(): number | null {
    const found = /"child-pid": (\d+)/.exec(this.#text)?.[1];
    return found === undefined ? null : Number(found);
  }

  /** False also when the set-up failed: bubblewrap reports the exit only of a command that was started. */
  get hasExited(): boolean {
    return /"exit-code": \d+/.test(this.#text);
  }

  close(): void {
    this.#source.destroy();
  }

  async complete(): Promise<void> {
    await Promise.race([this.#ended, delay(REPORT_WAIT_MS, undefined, { ref: false })]);
  }
}
