/** The errors that are thrown on purpose. Everything else is a defect and crashes the run, never the server. */

/** Something the asker can mend. `message` is Markdown for them: what was wrong and what to do next. Never retried. */
export class UserError extends Error {
  override readonly name = "UserError";
}

/** The outside world failed for now (network, database, an overloaded vendor). Retried by queue/judge, never posted as is. */
export class TransientError extends Error {
  override readonly name = "TransientError";
}

/** What was asked for is on its way (a vendor's batch). No failure: the task waits in the queue, and no worker waits with it. */
export class NotYet extends Error {
  override readonly name = "NotYet";
  readonly askAgainMs: number;
  constructor(message: string, askAgainMs: number) {
    super(message);
    this.askAgainMs = askAgainMs;
  }
}

/** Closes a `switch` over a union: the compiler refuses the call while a member is left out. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
