/** What the tools that edit share for the length of a run. */
import type { Files } from "./files.ts";
import type { ReadState } from "./read-state.ts";

export type Desk = {
  readonly files: Files;
  readonly readState: ReadState;
  /** Whether a file must have been seen before it is edited; false for a person's single call. */
  readonly mustRead: boolean;
};
