/** A change and the files as they are now -> what to write to take it back, or why that would destroy something. */
import type { ByteChange, ByteRead } from "./byte-files.ts";
import { ToolRefusal } from "./tool.ts";
import { hashBytes, type Change } from "./undo-stack.ts";

/** `asked` is the path as the model gave it; `now` has the change's files in their order. */
export function planUndo(asked: string, { files, lost }: Change, now: readonly ByteRead[]): readonly ByteChange[] {
  if (lost !== null) throw new ToolRefusal(`Cannot undo the last edit of "${asked}": ${lost}. Nothing was changed.`);
  const changed = files.filter(({ path, after }, i) => now[i]?.path !== path || stateOf(now[i]) !== after);
  if (changed.length > 0) {
    const names = changed.map(({ path }) => `"${path}"`).join(", ");
    const why = `${names} changed since then (by a command, a formatter or a later edit), and that would be lost`;
    const remedy = "Undo the later edit first, or view the file and edit it.";
    throw new ToolRefusal(`Cannot undo the last edit of "${asked}": ${why}. Nothing was changed. ${remedy}`);
  }
  return files.flatMap(({ path, before, after }): readonly ByteChange[] => {
    if (before !== null) return [{ kind: "write", path, ...before }];
    return after === null ? [] : [{ kind: "delete", path }];
  });
}

function stateOf(file: ByteRead | undefined): string | null {
  if (file?.kind === "file") return hashBytes(file.bytes);
  return file?.kind === "missing" ? null : "something else";
}
