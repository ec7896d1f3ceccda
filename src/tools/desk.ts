/** What the tools that edit share: the state of a run, and that their `view` only reads. */
import { z } from "zod";
import type { Album } from "./album.ts";
import type { Files } from "./files.ts";
import type { ReadState } from "./read-state.ts";
import type { ShownTexts } from "./shown-texts.ts";
import type { Effect } from "./tool.ts";

export type Desk = {
  readonly files: Files;
  readonly readState: ReadState;
  readonly shownTexts: ShownTexts;
  /** Null for a model that cannot see. */
  readonly album: Album | null;
  /** Whether a file must have been seen before it is edited; false for a person's single call. */
  readonly mustRead: boolean;
};

const View = z.object({ command: z.literal("view") });

export function effectOfCommand(input: unknown): Effect {
  return View.safeParse(input).success ? "reads" : "writes";
}
