/** What a tool is. Tools are records in a table (toolset.ts); they reach repository files only through the sandbox. */
import type { CommandRun, FileEditReport, Image } from "../journal.ts";
import type { ToolSpec } from "../model/model.ts";
import type { z } from "zod";

/** What a tool hands back. `text` is for the model, already cut to its limit; `command` and `edits` are evidence for people. */
export type ToolResult = {
  readonly text: string;
  /** For the model to see, in the order in which the text names them. */
  readonly images?: readonly Image[];
  readonly command?: CommandRun;
  readonly edits?: readonly FileEditReport[];
};

/** A call that cannot be done as asked. The message tells the model how to repair its call. */
export class ToolRefusal extends Error {
  override readonly name = "ToolRefusal";
}

/** Readers of one turn run side by side; writers run alone, in order. */
export type Effect = "reads" | "writes";

export type Tool = {
  readonly spec: ToolSpec;
  /** A function where the arguments decide, which have not been parsed. */
  readonly effect: Effect | ((input: unknown) => Effect);
  /** Parses the model's arguments. Free-form text arrives as a string. */
  readonly input: z.ZodType;
  /** `input` has passed `input`. Throws ToolRefusal for a call to repair; any other error is a defect. */
  readonly run: (input: unknown, signal: AbortSignal) => Promise<ToolResult>;
};

export function effectOf({ effect }: Tool, input: unknown): Effect {
  return typeof effect === "function" ? effect(input) : effect;
}
