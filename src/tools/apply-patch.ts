/** The apply_patch tool: reads the patch's files, plans in memory, writes all of them at once. */
import { z } from "zod";
import type { FileEditReport } from "../journal.ts";
import { pathsOf, planPatch, type FileEdit } from "../patch/apply.ts";
import { describeEdit } from "../patch/edit-report.ts";
import { patchOfOperation, type Operation } from "../patch/operation.ts";
import { parsePatch } from "../patch/parse.ts";
import { PatchError, type Patch } from "../patch/patch.ts";
import { defineTool } from "./define-tool.ts";
import type { Desk } from "./desk.ts";
import { whyNotText, type FileChange, type FileRead } from "./files.ts";
import { checkPath, whyNoFile } from "./paths.ts";
import type { ReadState } from "./read-state.ts";
import { ToolRefusal, type Tool, type ToolResult } from "./tool.ts";
import { viewText } from "./view.ts";

/** Applies the text of a patch, or one operation, whose paths are relative to `dir`. */
export type PatchApplier = (wanted: string | Operation, dir: string, signal: AbortSignal) => Promise<ToolResult>;

const Told = z.object({ patch: z.string() });
const OneOperation = z.discriminatedUnion("type", [
  z.object({ type: z.literal("create_file"), path: z.string(), diff: z.string() }),
  z.object({ type: z.literal("update_file"), path: z.string(), diff: z.string() }),
  z.object({ type: z.literal("delete_file"), path: z.string() }),
]);
/** OpenAI's models send the bare text or one operation, others an object; both names of the field occur. */
const Input = z.union(
  [
    z.string(),
    z.object({ patch: z.string() }),
    z.object({ input: z.string() }),
    z.object({ operation: OneOperation }),
    OneOperation,
  ],
  { error: 'expected the text of the patch, or {"patch": text}' },
);

export function applyPatchTool(apply: PatchApplier): Tool {
  return defineTool({
    name: "apply_patch",
    native: "apply-patch",
    effect: "writes",
    input: Input,
    told: Told,
    run: (input, signal) => apply(wantedOf(input), ".", signal),
  });
}

function wantedOf(input: z.infer<typeof Input>): string | Operation {
  if (typeof input === "string" || "type" in input) return input;
  if ("operation" in input) return input.operation;
  return "patch" in input ? input.patch : input.input;
}

export function openPatchApplier({ files, readState, mustRead }: Desk): PatchApplier {
  return async (wanted, dir, signal) => {
    const patch = orRefuse(() =>
      moveInto(dir, typeof wanted === "string" ? parsePatch(wanted) : patchOfOperation(wanted)),
    );
    const paths = pathsOf(patch);
    const found = new Map((await files.read(paths, signal)).map((file, i) => [paths[i] ?? "", file]));
    const plan = orRefuse(() => planPatch(patch, textsOf(patch, found)));
    if (plan.edits.length === 0) return { text: "No file was changed: the patch leaves every file as it is." };
    if (mustRead) requireRead(patch, found, readState);
    const known = new Set(plan.edits.filter((edit) => isKnown(edit, found, readState)));
    const changes = plan.edits.map((edit) => toChange(edit, found));
    const written = await files.write(changes, signal);
    plan.edits.forEach((edit, i) => {
      if (edit.kind === "write" && known.has(edit)) readState.remember(written[i] ?? "", edit.text);
    });
    return { text: `Done.\n${plan.notes.join("\n")}`, edits: describeEdits(plan.edits, { found, written }) };
  };
}

/**
 * The context of an update shows that the model knows the place; an Add over a file that is there shows nothing. The refusal shows
 * the file, which then counts as seen.
 */
function requireRead({ hunks }: Patch, found: ReadonlyMap<string, FileRead>, readState: ReadState): void {
  const named = new Set<string>();
  for (const { kind, path } of hunks) {
    const file = found.get(path);
    if (kind === "add" && !named.has(path) && file?.kind === "text" && !isCurrent(readState, file)) {
      readState.remember(file.path, file.text);
      throw refuse(
        `${path}: Add File would replace a file that you have not read. It now reads:\n${viewText(file.text, null)}\nRepeat the call if it still fits.`,
      );
    }
    named.add(path);
  }
}

/** Who knew a file before the patch knows it after, and who wrote all of it; who did not, has seen a part of it at most. */
function isKnown(edit: FileEdit, found: ReadonlyMap<string, FileRead>, readState: ReadState): boolean {
  if (edit.kind === "delete") return false;
  const source = found.get(edit.modeFrom);
  return source?.kind === "missing" || isCurrent(readState, source);
}

type Done = { readonly found: ReadonlyMap<string, FileRead>; readonly written: readonly string[] };

/** A moved file is told once, under its new name. */
function describeEdits(edits: readonly FileEdit[], { found, written }: Done): readonly FileEditReport[] {
  const moved = new Set(edits.flatMap((edit) => (edit.kind === "write" && isMoved(edit) ? [edit.modeFrom] : [])));
  return edits.flatMap((edit, i) => {
    const path = written[i] ?? edit.path;
    if (edit.kind === "delete")
      return moved.has(edit.path) ? [] : [describeEdit({ path, before: textOf(found.get(edit.path)), after: null })];
    const report = describeEdit({ path, before: textOf(found.get(edit.modeFrom)), after: edit.text });
    return isMoved(edit) ? [{ ...report, movedFrom: edit.modeFrom }] : [report];
  });
}

function isMoved({ path, modeFrom }: { readonly path: string; readonly modeFrom: string }): boolean {
  return path !== modeFrom;
}

function textOf(file: FileRead | undefined): string | null {
  return file?.kind === "text" ? file.text : null;
}

/** The texts to plan with. A file that is there and is no text cannot be patched, only deleted. */
function textsOf(patch: Patch, found: ReadonlyMap<string, FileRead>): ReadonlyMap<string, string | null> {
  const texts = new Map<string, string | null>();
  for (const [path, file] of found) {
    if (file.kind === "text") texts.set(path, file.text);
    else if (file.kind === "missing") texts.set(path, null);
    else if (file.kind === "binary" && isOnlyDeleted(patch, path)) texts.set(path, "");
    else throw refuse(`${path}: ${whyNotText(file) ?? ""}.`);
  }
  return texts;
}

function isOnlyDeleted(patch: Patch, path: string): boolean {
  return patch.hunks.every(
    (hunk) => hunk.kind === "delete" || (hunk.path !== path && !("moveTo" in hunk && hunk.moveTo === path)),
  );
}

function toChange(edit: FileEdit, found: ReadonlyMap<string, FileRead>): FileChange {
  if (edit.kind === "delete") return edit;
  const source = found.get(edit.modeFrom);
  if (edit.mode !== null) return { kind: "write", path: edit.path, text: edit.text, mode: edit.mode };
  const mode = isMoved(edit) && source?.kind === "text" ? source.mode : null;
  return { kind: "write", path: edit.path, text: edit.text, mode };
}

/** Every path as the workspace knows it, so that two spellings of one file meet. */
function moveInto(dir: string, patch: Patch): Patch {
  const place = (path: string, line: number) => {
    const checked = checkPath(path.startsWith("/") ? path : `${dir}/${path}`);
    const why = checked.kind === "refused" ? checked.why : whyNoFile(path);
    if (checked.kind === "refused" || why !== null)
      throw new PatchError(`Patch line ${line}: cannot use the path "${path}": ${why}.`, line);
    return checked.path;
  };
  const hunks = patch.hunks.map((hunk) => {
    const path = place(hunk.path, hunk.patchLine);
    if (hunk.kind !== "update" || hunk.moveTo === null) return { ...hunk, path };
    return { ...hunk, path, moveTo: place(hunk.moveTo, hunk.patchLine + 1) };
  });
  return { hunks };
}

function isCurrent(readState: ReadState, file: FileRead | undefined): boolean {
  return file?.kind === "text" && readState.check(file.path, file.text) === "current";
}

function orRefuse<T>(plan: () => T): T {
  try {
    return plan();
  } catch (error) {
    if (error instanceof PatchError) throw refuse(error.message);
    throw error;
  }
}

function refuse(message: string): ToolRefusal {
  return new ToolRefusal(`The patch was not applied; no file was changed.\n${message}`);
}
