/** What people say to a run while it is live. The agent takes it between two turns; a stop ends the run with what it has. */

export type Note = { readonly by: string; readonly text: string };

export type Inbox = {
  /** What was said since the last time, each word once. */
  readonly take: () => Promise<readonly Note[]>;
  /** Aborted with `Stopped` when a person stops the run. */
  readonly stopped: AbortSignal;
};

export class Stopped extends Error {
  override readonly name = "Stopped";
  readonly by: string;
  constructor(by: string) {
    super(`stopped by ${by}`);
    this.by = by;
  }
}

/** Nobody wants the end of this any more: what it is about has been replaced by `headSha`. */
export class Superseded extends Stopped {
  readonly headSha: string;
  constructor(headSha: string) {
    super("a newer commit");
    this.headSha = headSha;
  }
}

/** For a run nobody can speak to: a sub-agent, a local run in a terminal. */
export const SILENT: Inbox = { take: async () => [], stopped: new AbortController().signal };
