/** The notebook tool: one cell of a Jupyter notebook at a time, and never of a file that the model has not seen. */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { unreachable } from "../failure.ts";
import { describeEdit } from "../patch/edit-report.ts";
import { editNotebook, readNotebook, type Cell, type CellEdit, type Notebook } from "../patch/notebook.ts";
import { PatchError } from "../patch/patch.ts";
import { defineTool } from "./define-tool.ts";
import { effectOfCommand, type Desk } from "./desk.ts";
import { whyNotText } from "./files.ts";
import { renderCells, renderNotebook } from "./notebook-view.ts";
import { ToolRefusal, type Tool, type ToolResult } from "./tool.ts";

const Told = z.object({
  command: z.enum(["view", "replace", "insert", "delete"]),
  path: z.string(),
  cell_id: z.string().optional(),
  index: z.int().min(0).max(1e6).optional(),
  source: z.string().optional(),
  cell_type: z.enum(["code", "markdown", "raw"]).optional(),
});
const Input = Told.superRefine(({ command, source, cell_id: id, index }, { addIssue }) => {
  const missing = (path: string, message: string) => addIssue({ code: "custom", path: [path], message });
  if ((command === "replace" || command === "insert") && source === undefined) missing("source", "is missing");
  if ((command === "replace" || command === "delete") && !id && index === undefined)
    missing("cell_id", "is missing (or give index)");
});
type Input = z.infer<typeof Input>;

const HOW_TO_CREATE =
  'To make one, create it with {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5} first.';

export function notebookTool(desk: Desk): Tool {
  return defineTool({
    name: "notebook",
    effect: effectOfCommand,
    input: Input,
    told: Told,
    run: async (input, signal) => {
      const [file] = await desk.files.read([input.path], signal);
      if (file?.kind !== "text") {
        const why = file ? whyNotText(file) : null;
        const remedy = file?.kind === "missing" && input.command === "insert" ? ` ${HOW_TO_CREATE}` : "";
        throw new ToolRefusal(`Cannot open "${input.path}": ${why ?? ""}.${remedy}`);
      }
      const notebook = orRefuse(() => readNotebook(file.text));
      if (input.command === "view") {
        const text = view(notebook, input);
        desk.readState.remember(file.path, file.text);
        return { text };
      }
      requireRead(desk, { input, notebook, path: file.path });
      return write(desk, { input, notebook }, signal);
    },
  });
}

type Asked = { readonly input: Input; readonly notebook: Notebook };

async function write({ files, readState }: Desk, { input, notebook }: Asked, signal: AbortSignal): Promise<ToolResult> {
  const edit = planEdit(notebook, input);
  const text = orRefuse(() => editNotebook(notebook, edit));
  const after = orRefuse(() => readNotebook(text)); // What we write is valid, or it is not written.
  const [real = input.path] = await files.write([{ kind: "write", path: input.path, text, mode: null }], signal);
  readState.remember(real, text);
  const edits = [describeEdit({ path: real, before: notebook.text, after: text })];
  return { text: renderDone(edit, { path: input.path, cells: after.cells }), edits };
}

function renderDone(
  edit: CellEdit,
  { path, cells }: { readonly path: string; readonly cells: readonly Cell[] },
): string {
  if (edit.kind === "delete")
    return `Deleted cell ${edit.index} of ${path}; ${cells.length} are left, those behind it moved up.`;
  const done = edit.kind === "insert" ? "Inserted" : "Replaced";
  return `${done} in ${path}:\n${renderCells(cells.slice(edit.index, edit.index + 1))}`;
}

function view(notebook: Notebook, input: Input): string {
  const at = indexOf(notebook, input);
  if (at === null) return renderNotebook(notebook);
  return renderCells(notebook.cells.slice(at, at + 1));
}

function planEdit(notebook: Notebook, input: Input): CellEdit {
  const { command, source = "", cell_type: type } = input;
  switch (command) {
    case "view":
      throw new Error("a view edits nothing");
    case "insert": {
      const newId = randomUUID().slice(0, 8); // As nbformat makes them.
      return { kind: "insert", index: placeOf(notebook, input), source, type: type ?? "code", newId };
    }
    case "replace":
      return { kind: "replace", index: indexOf(notebook, input) ?? 0, source, type: type ?? null };
    case "delete":
      return { kind: "delete", index: indexOf(notebook, input) ?? 0 };
    default:
      return unreachable(command);
  }
}

/** Behind the last cell when no place is named. */
function placeOf(notebook: Notebook, input: Input): number {
  const count = notebook.cells.length;
  if (input.cell_id) return (indexOf(notebook, input) ?? count) + 1;
  if (input.index !== undefined && input.index > count)
    throw new ToolRefusal(`There is no place ${input.index}; there are ${count} cells, so at most ${count}.`);
  return input.index ?? count;
}

/** Null when no cell is named. Two cells with one id are not valid, but occur. */
function indexOf({ cells }: Notebook, { cell_id: id, index }: Input): number | null {
  if (id) {
    const found = cells.filter((cell) => cell.id === id);
    const [one] = found;
    if (!one) throw new ToolRefusal(`There is no cell with the id "${id}"; view the notebook, or give index.`);
    if (found.length > 1) throw new ToolRefusal(`${found.length} cells have the id "${id}"; give index instead.`);
    return one.index;
  }
  if (index === undefined) return null;
  if (index < cells.length) return index;
  throw new ToolRefusal(`There is no cell ${index}; there are ${cells.length}, counted from 0.`);
}

/** A refusal shows the cell, which then counts as seen: one more call mends it. */
function requireRead(
  { readState, mustRead }: Desk,
  { input, notebook, path }: Asked & { readonly path: string },
): void {
  const state = readState.check(path, notebook.text);
  if (!mustRead || state === "current") return;
  const at = indexOf(notebook, input);
  const shown = at === null ? renderNotebook(notebook) : renderCells(notebook.cells.slice(at, at + 1));
  readState.remember(path, notebook.text);
  const why = state === "unread" ? "You have not read it yet" : "It has changed since you read it";
  throw new ToolRefusal(`${why}, so nothing was changed. It now reads:\n${shown}\nRepeat the call if it still fits.`);
}

function orRefuse<T>(plan: () => T): T {
  try {
    return plan();
  } catch (error) {
    if (error instanceof PatchError) throw new ToolRefusal(`${error.message} Nothing was changed.`);
    throw error;
  }
}
