/** The read tool: many files, ranges or symbols in one call. What cannot be shown is said for that file alone. */
import { z } from "zod";
import { unreachable } from "../failure.ts";
import type { Image } from "../journal.ts";
import type { Album } from "./album.ts";
import { defineTool } from "./define-tool.ts";
import { whyNotText, type FileRead, type Files } from "./files.ts";
import { readOutline } from "./outline.ts";
import { showLines, showOutline, showSymbol, type Shown } from "./read-view.ts";
import type { ReadState } from "./read-state.ts";
import type { ShownTexts } from "./shown-texts.ts";
import { ToolRefusal, type Tool } from "./tool.ts";

/** Of all files together; below what dispatch cuts, so that our own notes tell what is missing. */
const TEXT_BYTES_MAX = 44 * 1024;
/** More cannot be shown with any use. */
const FILES_MAX = 40;

const line = z.int().min(1).max(1e9).optional();
const One = z.object({ path: z.string(), start_line: line, end_line: line, symbol: z.string().optional() });
const Told = z.object({ files: z.array(One), outline: z.boolean().optional() });
/** Bare paths are understood too. */
const Input = z.object({
  files: z
    .array(z.union([z.string(), One]))
    .min(1)
    .max(FILES_MAX),
  outline: z.boolean().optional(),
});
type Wanted = z.infer<typeof One>;

export type Reading = {
  readonly files: Files;
  readonly readState: ReadState;
  readonly shownTexts: ShownTexts;
  /** Null for a model that cannot see. */
  readonly album: Album | null;
};

export function readTool({ files, readState, shownTexts, album }: Reading): Tool {
  return defineTool({
    name: "read",
    effect: "reads",
    input: Input,
    told: Told,
    run: async ({ files: asked, outline: isOutline = false }, signal) => {
      const wanted = asked.map((one) => (typeof one === "string" ? { path: one } : one));
      const paths = [...new Set(wanted.map(({ path }) => path))];
      const found = new Map((await files.read(paths, signal)).map((file, i) => [paths[i] ?? "", file]));
      const parts: string[] = [];
      const images: Image[] = [];
      let room = TEXT_BYTES_MAX;
      let hasText = false;
      for (const [i, one] of wanted.entries()) {
        const file = found.get(one.path);
        if (!file) throw new Error("one path has one result");
        // What small files leave over goes to those after them.
        const share = Math.floor(room / (wanted.length - i));
        const page = file.kind === "binary" && file.image ? album?.show(file.image) : undefined;
        images.push(...(page?.images ?? []));
        const shown = page
          ? ({ kind: "image", text: page.text } as const)
          : again(shownTexts, file, { one, isOutline }, await show(file, one, { isOutline, bytesMax: share }));
        if (shown.kind === "text" && file.kind === "text") readState.remember(file.path, file.text);
        hasText ||= shown.kind !== "failure";
        room = Math.max(0, room - Buffer.byteLength(shown.text));
        parts.push(wanted.length === 1 ? shown.text : `== ${one.path}\n${shown.text}`);
      }
      if (!hasText) throw new ToolRefusal(parts.join("\n\n"));
      return { text: parts.join("\n\n"), images };
    },
  });
}

type Asked = { readonly one: Wanted; readonly isOutline: boolean };

/** A whole file that the model has already: only what is new of it. */
function again(shownTexts: ShownTexts, file: FileRead, { one, isOutline }: Asked, shown: Shown): Shown {
  const isPart =
    isOutline || one.start_line !== undefined || one.end_line !== undefined || (one.symbol ?? "").trim() !== "";
  if (isPart || shown.kind !== "text" || file.kind !== "text") return shown;
  return { kind: "text", text: shownTexts.show({ path: file.path, text: file.text, shown: shown.text }) };
}

type How = { readonly isOutline: boolean; readonly bytesMax: number };

async function show(file: FileRead, wanted: Wanted, { isOutline, bytesMax }: How): Promise<Shown> {
  if (file.kind !== "text") return { kind: "failure", text: whyNotShown(file, wanted.path) };
  if (isOutline) return showOutline(file.text, await readOutline(file.path, file.text), bytesMax);
  // Some models fill every field, with "" for what they do not mean.
  if (wanted.symbol !== undefined && wanted.symbol.trim() !== "") {
    const outline = await readOutline(file.path, file.text);
    return showSymbol(file.text, { outline, symbol: wanted.symbol, bytesMax });
  }
  return showLines(file.text, { first: wanted.start_line ?? 1, last: wanted.end_line ?? null, bytesMax });
}

function whyNotShown(file: FileRead, path: string): string {
  const why = `Cannot read "${path}": ${whyNotText(file) ?? ""}`;
  switch (file.kind) {
    case "directory":
      return `${why}; search lists it, given only path.`;
    case "missing":
      return `${why}; search finds files by name, given only glob.`;
    case "binary":
    case "too-large":
    case "special":
    case "unreadable":
    case "refused":
    case "text":
      return `${why}.`;
    default:
      return unreachable(file);
  }
}
