/** A model call that failed for good, in the two kinds the queue judges: something the asker's operator can mend, or the weather. */
import { TransientError, unreachable, UserError } from "../failure.ts";
import { ModelError } from "../model/model.ts";

/** What is not a ModelError (an abort, a defect) comes back as it is. */
export function explainModelError(error: unknown, modelId: string): unknown {
  if (!(error instanceof ModelError)) return error;
  const options = { cause: error };
  switch (error.fault) {
    case "rate-limited":
    case "overloaded":
    case "connection":
    case "stalled":
    case "server":
      return new TransientError(`The model ${modelId} could not be reached (${error.fault}).`, options);
    case "quota":
      return new UserError(
        `The vendor of \`${modelId}\` says that the account's quota or spending limit is used up. Whoever runs this App can raise it; then ask again.`,
        options,
      );
    case "authentication":
      return new UserError(
        `The vendor of \`${modelId}\` refused the App's API key. Whoever runs this App must set a valid one; then ask again.`,
        options,
      );
    case "invalid-request":
      return new UserError(
        `The vendor of \`${modelId}\` refused the request as invalid. The operator finds its words in the log.`,
        options,
      );
    case "window-exceeded":
      return new UserError(
        `The task grew past the context window of \`${modelId}\`. Ask for a smaller part of it, or set a model with a larger window.`,
        options,
      );
    default:
      return unreachable(error.fault);
  }
}
