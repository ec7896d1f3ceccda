/** Jupyter notebooks (nbformat 4) as text: cells are found and changed where they stand, all other bytes stay. */
import { z } from "zod";
import { memberNamed, readElements, readMembers, skipSpace, type Member, type Span } from "./json-spans.ts";
import { PatchError } from "./patch.ts";

const Source = z.union([z.string(), z.array(z.string())]);
const CellShape = z.looseObject({
  cell_type: z.enum(["code", "markdown", "raw"]),
  id: z.string().optional(),
  source: Source,
  outputs: z.array(z.unknown()).optional(),
});
const Shape = z.looseObject({ nbformat: z.int(), nbformat_minor: z.int(), cells: z.array(CellShape) });

export type CellType = z.infer<typeof CellShape>["cell_type"];
export type Cell = {
  readonly index: number;
  readonly id: string | null;
  readonly type: CellType;
  readonly source: string;
  readonly outputs: readonly unknown[];
};
export type Notebook = {
  readonly text: string;
  readonly cells: readonly Cell[];
  /** Since nbformat 4.5 every cell has an id. */
  readonly hasIds: boolean;
};

export type CellEdit =
  | { readonly kind: "replace"; readonly index: number; readonly source: string; readonly type: CellType | null }
  /** Before the cell `index`; the count of cells appends. `newId` is used where cells have ids. */
  | {
      readonly kind: "insert";
      readonly index: number;
      readonly source: string;
      readonly type: CellType;
      readonly newId: string;
    }
  | { readonly kind: "delete"; readonly index: number };

/** Throws PatchError for what is no notebook that we can keep valid. */
export function readNotebook(text: string): Notebook {
  const shape = Shape.safeParse(parseJson(text.replace(/^\uFEFF/, "")));
  if (!shape.success) {
    const [issue] = shape.error.issues;
    throw new PatchError(`It is no valid notebook: ${issue?.path.join(".") ?? ""}: ${issue?.message ?? ""}.`);
  }
  const { nbformat, nbformat_minor: minor, cells } = shape.data;
  if (nbformat !== 4) throw new PatchError(`It has nbformat ${nbformat}; only 4 can be edited by cell.`);
  return {
    text,
    hasIds: minor >= 5,
    cells: cells.map(({ id, cell_type: type, source, outputs = [] }, index) => ({
      ...{ index, id: id ?? null, type, outputs },
      source: typeof source === "string" ? source : source.join(""),
    })),
  };
}

export function editNotebook(notebook: Notebook, edit: CellEdit): string {
  const { text } = notebook;
  const cellsAt = memberNamed(readMembers(text, skipSpace(text, 0)), "cells")?.value;
  if (!cellsAt) throw new Error("a notebook has cells");
  const spans = readElements(text, cellsAt.start);
  const style = styleOf(text);
  const span = spans[edit.index];
  if (edit.kind === "insert") {
    const cell = renderCell(newMembers(notebook, edit), style);
    return insertCell(text, cell, { cellsAt, spans, index: edit.index, style });
  }
  if (!span) throw new PatchError(`There is no cell ${edit.index}; there are ${spans.length}, counted from 0.`);
  if (edit.kind === "replace") return replaceCell(text, span, { edit, style });
  return deleteCell(text, { cellsAt, spans, index: edit.index });
}

/** What one level is indented by, null for a text on one line. */
type Style = { readonly unit: string | null; readonly ending: string };

function styleOf(text: string): Style {
  const [, ending = "\n", unit = null] = /^\uFEFF?\s*\{[ \t]*(\r?\n)([ \t]*)"/.exec(text) ?? [];
  return { unit, ending };
}

type Rendered = readonly (readonly [key: string, json: string])[];

function newMembers(notebook: Notebook, { source, type, newId }: Extract<CellEdit, { kind: "insert" }>): Rendered {
  const style = styleOf(notebook.text);
  // In the order of nbformat, which sorts keys.
  return [
    ["cell_type", JSON.stringify(type)],
    ...(type === "code" ? ([["execution_count", "null"]] as const) : []),
    ...(notebook.hasIds ? ([["id", JSON.stringify(freeId(notebook, newId))]] as const) : []),
    ["metadata", "{}"],
    ...(type === "code" ? ([["outputs", "[]"]] as const) : []),
    ["source", renderSource(source, style)],
  ];
}

function freeId({ cells }: Notebook, wanted: string): string {
  const taken = new Set(cells.map(({ id }) => id));
  let id = wanted;
  for (let n = 2; taken.has(id) && n <= cells.length + 2; n++) id = `${wanted}-${n}`;
  return id;
}

type Replacing = { readonly edit: Extract<CellEdit, { kind: "replace" }>; readonly style: Style };

function replaceCell(text: string, span: Span, { edit, style }: Replacing): string {
  const members = readMembers(text, span.start);
  const old: unknown = JSON.parse(slice(text, memberNamed(members, "cell_type")?.value ?? span));
  const type = edit.type ?? old;
  const fresh = new Map([["source", renderSource(edit.source, style)]]);
  if (type === "code") fresh.set("outputs", "[]").set("execution_count", "null");
  if (type === old && [...fresh.keys()].every((key) => memberNamed(members, key)))
    return setMembers(text, members, fresh);
  // Attachments are of prose only, outputs of code only.
  const foreign = type === "code" ? ["attachments"] : ["outputs", "execution_count"];
  const kept = new Map(members.map(({ key, value }) => [key, slice(text, value)]));
  for (const key of foreign) kept.delete(key);
  kept.set("cell_type", JSON.stringify(type));
  for (const [key, json] of fresh) kept.set(key, json);
  const sorted = [...kept].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return text.slice(0, span.start) + renderCell(sorted, style) + text.slice(span.end);
}

function setMembers(text: string, members: readonly Member[], fresh: ReadonlyMap<string, string>): string {
  let edited = text;
  for (const { key, value } of members.toReversed()) {
    const json = fresh.get(key);
    if (json !== undefined) edited = edited.slice(0, value.start) + json + edited.slice(value.end);
  }
  return edited;
}

type Place = { readonly cellsAt: Span; readonly spans: readonly Span[]; readonly index: number };

function insertCell(text: string, cell: string, { cellsAt, spans, index, style }: Place & { style: Style }): string {
  const before = breakAt(style, 2);
  const next = spans[index];
  if (next) return `${text.slice(0, next.start)}${cell},${before || " "}${text.slice(next.start)}`;
  const last = spans.at(-1);
  if (index !== spans.length) throw new PatchError(`There is no place ${index}; there are ${spans.length} cells.`);
  if (last) return `${text.slice(0, last.end)},${before || " "}${cell}${text.slice(last.end)}`;
  return `${text.slice(0, cellsAt.start)}[${before}${cell}${breakAt(style, 1)}]${text.slice(cellsAt.end)}`;
}

function deleteCell(text: string, { cellsAt, spans, index }: Place): string {
  const [own, next, previous] = [spans[index], spans[index + 1], spans[index - 1]];
  if (!own) throw new Error("a cell to delete was found");
  if (next) return text.slice(0, own.start) + text.slice(next.start);
  if (previous) return text.slice(0, previous.end) + text.slice(own.end);
  return `${text.slice(0, cellsAt.start)}[]${text.slice(cellsAt.end)}`;
}

function renderCell(members: Rendered, style: Style): string {
  const separator = style.unit === null ? ", " : `,${breakAt(style, 3)}`;
  const rows = members.map(([key, json]) => `${JSON.stringify(key)}: ${json}`).join(separator);
  return `{${breakAt(style, 3)}${rows}${breakAt(style, 2)}}`;
}

/** Lines with their endings, as nbformat writes them. */
function renderSource(source: string, style: Style): string {
  const lines = source === "" ? [] : (source.match(/[^\n]*\n|[^\n]+$/g) ?? []);
  if (lines.length === 0) return "[]";
  const rows = lines.map((line) => breakAt(style, 4) + JSON.stringify(line));
  return `[${rows.join(style.unit === null ? ", " : ",")}${breakAt(style, 3)}]`;
}

function breakAt({ unit, ending }: Style, depth: number): string {
  return unit === null ? "" : ending + unit.repeat(depth);
}

function slice(text: string, { start, end }: Span): string {
  return text.slice(start, end);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new PatchError(`It is no valid JSON: ${error.message}.`);
  }
}
