/** The edit tool, Anthropic's str_replace_based_edit_tool in full: one file at a time, and never one that the model has not seen. */
import { z } from "zod";
import { unreachable } from "../failure.ts";
import { describeEdit } from "../patch/edit-report.ts";
import { insertLines } from "../patch/insert.ts";
import { lineAt, readLines } from "../patch/lines.ts";
import { findNearest } from "../patch/nearest.ts";
import { PatchError } from "../patch/patch.ts";
import { describeStep, replaceText } from "../patch/replace.ts";
import { defineTool } from "./define-tool.ts";
import { effectOfCommand, type Desk } from "./desk.ts";
import { whyNotText, type FileRead } from "./files.ts";
import { ToolRefusal, type Tool, type ToolResult } from "./tool.ts";
import { undoEdit } from "./undo.ts";
import { viewChangedRegion, viewRegion, viewText, type Region } from "./view.ts";

const path = z.string();
const Told = z.object({
  command: z.enum(["view", "create", "str_replace", "insert", "undo_edit"]),
  path,
  view_range: z.array(z.int().min(-1).max(1e9)).optional(),
  file_text: z.string().optional(),
  old_str: z.string().optional(),
  new_str: z.string().optional(),
  replace_all: z.boolean().optional(),
  insert_line: z.int().min(0).max(1e9).optional(),
  insert_text: z.string().optional(),
});
const Input = z.discriminatedUnion(
  "command",
  [
    z.object({ command: z.literal("view"), path, view_range: z.tuple([z.int(), z.int()]).optional() }),
    z.object({ command: z.literal("create"), path, file_text: z.string() }),
    z.object({
      command: z.literal("str_replace"),
      path,
      old_str: z.string(),
      new_str: z.string().default(""),
      replace_all: z.boolean().default(false),
    }),
    z
      .object({ command: z.literal("insert"), path, insert_line: z.int() })
      .extend({ insert_text: z.string().optional(), new_str: z.string().optional() }) // Vendor documents show both names.
      .refine((input) => (input.insert_text ?? input.new_str) !== undefined, {
        path: ["insert_text"],
        message: "is missing",
      }),
    z.object({ command: z.literal("undo_edit"), path }), // str_replace_editor has it, text_editor_20250728 no more.
  ],
  { error: "command must be view, create, str_replace, insert or undo_edit" },
);
type Input = z.infer<typeof Input>;
type Edit = Exclude<Input, { command: "view" | "undo_edit" }>;

export function textEditorTool(desk: Desk): Tool {
  return defineTool({
    name: "edit",
    native: "text-editor",
    effect: effectOfCommand,
    input: Input,
    told: Told,
    run: async (input, signal) => {
      if (input.command === "undo_edit") return undoEdit(desk, input.path, signal);
      const [file] = await desk.files.read([input.path], signal);
      if (!file) throw new Error("one path has one result");
      return input.command === "view" ? view(desk, input, { file, signal }) : edit(desk, input, { file, signal });
    },
  });
}

type Found = { readonly file: FileRead; readonly signal: AbortSignal };

async function view(
  { files, readState, shownTexts, album }: Desk,
  input: Extract<Input, { command: "view" }>,
  { file, signal }: Found,
) {
  if (file.kind === "directory") {
    const names = await files.list(file.path, signal);
    return { text: names.length === 0 ? "The directory is empty." : names.join("\n") };
  }
  if (file.kind === "binary" && file.image && album) return album.show(file.image);
  if (file.kind !== "text") throw new ToolRefusal(`Cannot view "${input.path}": ${whyNotText(file) ?? ""}.`);
  const range = input.view_range ?? null;
  const shown = viewText(file.text, range);
  const text = range === null ? shownTexts.show({ path: file.path, text: file.text, shown }) : shown;
  readState.remember(file.path, file.text);
  const isUtf8 = file.encoding === "utf-8";
  return { text: isUtf8 ? text : `${text}\n[encoding ${file.encoding}; edits keep it]` };
}

async function edit(desk: Desk, input: Edit, { file, signal }: Found): Promise<ToolResult> {
  const isNew = input.command === "create" && file.kind === "missing";
  if (!isNew && file.kind !== "text") throw new ToolRefusal(`Cannot edit "${input.path}": ${whyNotText(file) ?? ""}.`);
  const before = file.kind === "text" ? file.text : null;
  if (before !== null) requireRead(desk, input, { path: file.path, text: before });
  const { text, said } = orRefuse(() => planEdit(input, before ?? ""));
  const [real] = await desk.files.write([{ kind: "write", path: input.path, text, mode: null }], signal);
  desk.readState.remember(real ?? file.path, text);
  const isSame = text === before;
  return { text: said, edits: isSame ? [] : [describeEdit({ path: real ?? file.path, before, after: text })] };
}

type Planned = { readonly text: string; readonly said: string };

function planEdit(input: Edit, before: string): Planned {
  switch (input.command) {
    case "create":
      return {
        text: keepForm(before, input.file_text),
        said: `Wrote ${input.path}, ${countLines(input.file_text)}.`,
      };
    case "str_replace": {
      const wanted = { oldText: input.old_str, newText: input.new_str, isAll: input.replace_all };
      const { text, step, lines } = replaceText(before, wanted);
      const lenient = describeStep(step);
      const how = lenient === null ? "" : `, ${lenient}`;
      if (lines.length > 1)
        return { text, said: `Replaced ${lines.length} places in ${input.path}, lines ${list(lines)}${how}.` };
      const first = lines[0] ?? 1;
      const shown = viewRegion(text, { first, count: input.new_str.split("\n").length });
      return { text, said: `Replaced in ${input.path} at line ${first}${how}:\n${shown}` };
    }
    case "insert": {
      const inserted = input.insert_text ?? input.new_str ?? "";
      const text = insertLines(before, input.insert_line, inserted);
      const shown = viewRegion(text, { first: input.insert_line + 1, count: inserted.split("\n").length });
      return { text, said: `Inserted in ${input.path}:\n${shown}` };
    }
    default:
      return unreachable(input);
  }
}

function countLines(text: string): string {
  const { count } = readLines(text);
  return count === 1 ? "1 line" : `${count} lines`;
}

/** A view shows neither a byte-order mark nor the kind of line ending, so a file written anew keeps both unless it names its own. */
function keepForm(before: string, text: string): string {
  const { ending, isUniform } = readLines(before);
  const ended = isUniform && ending !== "\n" && !text.includes("\r") ? text.replaceAll("\n", ending) : text;
  return before.startsWith("\uFEFF") && !text.startsWith("\uFEFF") ? `\uFEFF${ended}` : ended;
}

/** A refusal shows the place, which then counts as seen: one more call mends it. */
function requireRead(
  { readState, mustRead }: Desk,
  input: Edit,
  file: { readonly path: string; readonly text: string },
): void {
  const state = readState.check(file.path, file.text);
  if (!mustRead || state === "current") return;
  readState.remember(file.path, file.text);
  const why =
    state === "unread"
      ? `You have not read "${input.path}" yet, so nothing was changed.`
      : `"${input.path}" has changed since you read it (a command or a formatter wrote it), so nothing was changed.`;
  throw new ToolRefusal(
    `${why} It now reads:\n${viewChangedRegion(file.text, regionOf(input, file.text))}\nRepeat the call if it still fits.`,
  );
}

function regionOf(input: Edit, text: string): Region {
  switch (input.command) {
    case "create":
      return { first: 1, count: Number.POSITIVE_INFINITY };
    case "insert":
      return { first: input.insert_line, count: 2 };
    case "str_replace": {
      const wanted = input.old_str.split(/\r?\n/);
      const lines = readLines(text);
      const [start = 0] = findNearest(lines, wanted);
      const exact = wanted.length === 1 ? firstLineWith(text, input.old_str) : null;
      return { first: (exact ?? start) + 1, count: wanted.length };
    }
    default:
      return unreachable(input);
  }
}

/** A part of one line: whole lines are what `findNearest` compares. */
function firstLineWith(text: string, part: string): number | null {
  const lines = readLines(text);
  for (let i = 0; i < lines.count; i++) if (lineAt(lines, i).includes(part)) return i;
  return null;
}

/** Enough to find them again. */
const NUMBERS_MAX = 20;

function list(numbers: readonly number[]): string {
  const shown = [...new Set(numbers)];
  return shown.slice(0, NUMBERS_MAX).join(", ") + (shown.length > NUMBERS_MAX ? " …" : "");
}

function orRefuse<T>(plan: () => T): T {
  try {
    return plan();
  } catch (error) {
    if (error instanceof PatchError) throw new ToolRefusal(error.message);
    throw error;
  }
}
