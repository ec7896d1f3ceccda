/** What the drivers' sessions share: commands wait for each other, and closing ends the one that runs before anything is undone. */
import type { Exec, ExecResult, SandboxSession } from "./sandbox.ts";

/** Runs one command to its end; `stopped` is aborted by the caller or by the closing of the session. */
export type RunOne = (command: Exec, stopped: AbortSignal) => Promise<ExecResult>;

export class SerialSession implements SandboxSession {
  readonly #run: RunOne;
  /** Undoes the opening, last step first. */
  readonly #undo: AsyncDisposableStack;
  readonly #closing = new AbortController();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(run: RunOne, undo: AsyncDisposableStack) {
    this.#run = run;
    this.#undo = undo;
  }

  /** Commands of one session wait for each other: they share the workspace, the pipes and the control group. */
  exec(command: Exec, signal: AbortSignal): Promise<ExecResult> {
    const stopped = AbortSignal.any([signal, this.#closing.signal]);
    const result = this.#turn.then(async () => {
      stopped.throwIfAborted();
      const ended = await this.#run(command, stopped);
      stopped.throwIfAborted();
      return ended;
    });
    this.#turn = result.catch(() => {}); // The caller has the error.
    return result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new Error("The sandbox session was closed."));
    await this.#turn;
    await this.#undo.disposeAsync();
  }
}
