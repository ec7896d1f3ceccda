/** Undo as a tool of its own, for models whose editing tool knows no undo_edit; the edit tool's command does the same. */
import { z } from "zod";
import { describeEdit } from "../patch/edit-report.ts";
import { defineTool } from "./define-tool.ts";
import type { Desk } from "./desk.ts";
import type { Tool, ToolResult } from "./tool.ts";

export function undoTool(desk: Desk): Tool {
  return defineTool({
    name: "undo",
    effect: "writes",
    input: z.object({ path: z.string() }),
    run: ({ path }, signal) => undoEdit(desk, path, signal),
  });
}

/** Names told; a patch can have had hundreds of files. */
const NAMES_MAX = 50;

export async function undoEdit({ files, readState }: Desk, path: string, signal: AbortSignal): Promise<ToolResult> {
  const undone = await files.undo(path, signal);
  // Who knew the text that was undone knows the one before it: it was edited from that.
  for (const { path, before, after } of undone)
    if (before !== null && after !== null && readState.check(path, before) === "current")
      readState.remember(path, after);
  const notes = undone.map(({ path, isGone }) => (isGone ? `${path} (it was new, and is gone again)` : path));
  const more = notes.length > NAMES_MAX ? `\n[… ${notes.length - NAMES_MAX} more files …]` : "";
  return {
    text: `Took back the last edit of:\n${notes.slice(0, NAMES_MAX).join("\n")}${more}`,
    edits: undone.map(describeEdit),
  };
}
