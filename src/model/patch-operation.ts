/** An operation of OpenAI's own apply_patch tool, and the same as the text of a patch, which is what every other model reads. */
import { z } from "zod";

const Operation = z.discriminatedUnion("type", [
  z.object({ type: z.literal("create_file"), path: z.string(), diff: z.string() }),
  z.object({ type: z.literal("update_file"), path: z.string(), diff: z.string() }),
  z.object({ type: z.literal("delete_file"), path: z.string() }),
]);

export type Operation = z.infer<typeof Operation>;

export function readOperation(input: unknown): Operation | null {
  return Operation.safeParse(input).data ?? null;
}

/** The format of the patch: V4A, as codex speaks it. A diff of the tool is that format's body without its header. */
export function toPatchText(operation: Operation): string {
  const { path } = operation;
  switch (operation.type) {
    case "delete_file":
      return wrap(`*** Delete File: ${path}`);
    case "create_file":
      return wrap(`*** Add File: ${path}\n${operation.diff.replace(/\n$/, "")}`);
    case "update_file":
      return wrap(`*** Update File: ${path}\n${operation.diff.replace(/\n$/, "")}`);
  }
}

function wrap(body: string): string {
  return `*** Begin Patch\n${body}\n*** End Patch\n`;
}
