/** A whole patch over the texts of its files -> what to write. Everything is located in memory first: all of it or a PatchError. */
import { describePass } from "./fold.ts";
import { readLines } from "./lines.ts";
import { locateChunks } from "./locate.ts";
import { PatchError, type Hunk, type Mode, type Patch } from "./patch.ts";
import { spliceChunks } from "./splice.ts";

/** Path -> text, null for a file that is not there. */
export type Files = ReadonlyMap<string, string | null>;

/** What to do to one path. */
export type FileEdit =
  | {
      readonly kind: "write";
      readonly path: string;
      readonly text: string;
      /** The file whose permissions the written one gets: itself, or where it was moved from. */
      readonly modeFrom: string;
      /** The permissions the patch asks for instead. */
      readonly mode: Mode | null;
    }
  | { readonly kind: "delete"; readonly path: string };

export type PatchPlan = {
  /** At most one for each path, in the order the patch first names them. */
  readonly edits: readonly FileEdit[];
  /** One line for each hunk, for the observation: "M src/a.ts (lines 3, 40)". */
  readonly notes: readonly string[];
};

/** The paths whose texts `planPatch` needs. */
export function pathsOf(patch: Patch): readonly string[] {
  const paths = patch.hunks.flatMap((hunk) =>
    hunk.kind === "update" && hunk.moveTo !== null ? [hunk.path, hunk.moveTo] : [hunk.path],
  );
  return [...new Set(paths)];
}

/** Hunks follow each other: a later one sees what an earlier one made of the same path. */
export function planPatch(patch: Patch, files: Files): PatchPlan {
  const texts = new Map(files);
  const origins = new Map<string, string>();
  const modes = new Map<string, Mode>();
  const notes = patch.hunks.map((hunk, i) =>
    planHunk(hunk, { texts, origins, modes, label: `Hunk ${i + 1} (${hunk.path})` }),
  );
  const edits = pathsOf(patch).flatMap((path): readonly FileEdit[] => {
    const before = files.get(path) ?? null;
    const text = texts.get(path) ?? null;
    const mode = modes.get(path) ?? null;
    if (text === before && mode === null) return [];
    if (text === null) return [{ kind: "delete", path }];
    return [{ kind: "write", path, text, modeFrom: origins.get(path) ?? path, mode }];
  });
  return { edits, notes };
}

type Desk = {
  readonly texts: Map<string, string | null>;
  readonly origins: Map<string, string>;
  readonly modes: Map<string, Mode>;
  readonly label: string;
};

function planHunk(hunk: Hunk, desk: Desk): string {
  const { texts, modes, label } = desk;
  const before = texts.get(hunk.path) ?? null;
  if (hunk.kind !== "delete" && hunk.mode !== null)
    modes.set(hunk.kind === "update" ? (hunk.moveTo ?? hunk.path) : hunk.path, hunk.mode);
  if (hunk.kind === "add") {
    texts.set(hunk.path, hunk.text);
    return before === null ? `A ${hunk.path}` : `M ${hunk.path} (replaced a file that was there)`;
  }
  if (before === null) throw missing(hunk, label);
  if (hunk.kind === "delete") {
    if (hunk.chunks.length > 0) expectAllDeleted(hunk, before, label);
    modes.delete(hunk.path);
    texts.set(hunk.path, null);
    return `D ${hunk.path}`;
  }
  const lines = readLines(before);
  const places = locateChunks(lines, hunk.chunks, label);
  const { text, added } = spliceChunks(lines, places, label);
  const passes = [...new Set(places.flatMap(({ pass }) => describePass(pass) ?? []))];
  const facts = [
    ...(added.length > 0 ? [`at line ${added.join(", ")}`] : []),
    ...passes,
    ...(hunk.mode === null ? [] : [`mode ${hunk.mode}`]),
  ];
  const note = facts.length > 0 ? ` (${facts.join("; ")})` : "";
  if (hunk.moveTo === null || hunk.moveTo === hunk.path) {
    texts.set(hunk.path, text);
    return `M ${hunk.path}${note}`;
  }
  move(hunk, hunk.moveTo, { desk, text });
  return `R ${hunk.path} -> ${hunk.moveTo}${note}`;
}

/** A deletion that shows the file's lines must show the file: else it was written for another state of it. */
function expectAllDeleted(hunk: Extract<Hunk, { kind: "delete" }>, before: string, label: string): void {
  const { chunks, patchLine } = hunk;
  const lines = readLines(before);
  const { text } = spliceChunks(lines, locateChunks(lines, chunks, label), label);
  if (readLines(text).count === 0) return;
  const why = `${label}, patch line ${patchLine}: the file has lines that the patch does not delete.`;
  throw new PatchError(`${why} Read it again; to delete it whatever it holds, write "*** Delete File: ".`, patchLine);
}

function move(hunk: Hunk, to: string, { desk, text }: { readonly desk: Desk; readonly text: string }): void {
  const { texts, origins, label } = desk;
  if ((texts.get(to) ?? null) !== null) {
    const why = `${label}: cannot move to "${to}", a file is there. Delete it in an earlier hunk if it shall go.`;
    throw new PatchError(why, hunk.patchLine);
  }
  desk.modes.delete(hunk.path);
  texts.set(hunk.path, null);
  texts.set(to, text);
  origins.set(to, origins.get(hunk.path) ?? hunk.path);
}

function missing(hunk: Hunk, label: string): PatchError {
  const remedy = hunk.kind === "update" ? ' Use "*** Add File:" to create it, or mend the path.' : "";
  return new PatchError(`${label}, patch line ${hunk.patchLine}: the file does not exist.${remedy}`, hunk.patchLine);
}
