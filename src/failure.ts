/** The two errors that are thrown on purpose. Everything else is a defect and crashes the run, never the server. */

/** Something the asker can mend. `message` is Markdown for them: what was wrong and what to do next. Never retried. */
export class UserError extends Error {
  override readonly name = "UserError";
}

/** The outside world failed for now (network, database, an overloaded vendor). Retried by queue/judge, never posted as is. */
export class TransientError extends Error {
  override readonly name = "TransientError";
}

/** Closes a `switch` over a union: the compiler refuses the call while a member is left out. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
