/** A notebook as text for the model: each cell's source, and the beginning of what it printed. */
import { z } from "zod";
import type { Cell, Notebook } from "../patch/notebook.ts";

/** Of all cells; more is asked for by cell. */
const TEXT_BYTES_MAX = 40 * 1024;
/** Outputs are of use for what they say, not in full. */
const OUTPUT_CHARS_MAX = 600;

const Lines = z.union([z.string(), z.array(z.string())]);
const Output = z.looseObject({
  output_type: z.string(),
  text: Lines.optional(),
  data: z.record(z.string(), z.unknown()).optional(),
  ename: z.string().optional(),
  evalue: z.string().optional(),
});

export function renderNotebook({ cells }: Notebook): string {
  return cells.length === 0 ? "The notebook has no cells." : renderCells(cells);
}

export function renderCells(cells: readonly Cell[]): string {
  const parts: string[] = [];
  let bytes = 0;
  for (const cell of cells) {
    const part = renderCell(cell);
    bytes += Buffer.byteLength(part);
    if (bytes > TEXT_BYTES_MAX && parts.length > 0) {
      parts.push(`[… cells ${cell.index} to ${cells.at(-1)?.index} not shown; view them by index …]`);
      break;
    }
    parts.push(part);
  }
  return parts.join("\n\n");
}

function renderCell({ index, id, type, source, outputs }: Cell): string {
  const head = `[${index}] ${type}${id === null ? "" : ` ${id}`}`;
  return [head, ...(source === "" ? [] : [source]), ...outputs.map(renderOutput)].join("\n");
}

function renderOutput(output: unknown): string {
  const read = Output.safeParse(output);
  if (!read.success) return "-> (output of an unknown form)";
  const { output_type: type, text, data = {}, ename, evalue } = read.data;
  if (ename !== undefined) return `-> ${ename}: ${cut(evalue ?? "")}`;
  const plain = Lines.safeParse(text ?? data["text/plain"]);
  const others = Object.keys(data).filter((kind) => kind !== "text/plain");
  const also = others.length === 0 ? "" : ` (also ${others.join(", ")})`;
  if (!plain.success) return `-> ${type}${also}`;
  return `-> ${cut(typeof plain.data === "string" ? plain.data : plain.data.join(""))}${also}`;
}

function cut(text: string): string {
  const shown = text.trimEnd();
  const more = shown.length - OUTPUT_CHARS_MAX;
  return more > 0 ? `${shown.slice(0, OUTPUT_CHARS_MAX)} [… ${more} more characters]` : shown;
}
