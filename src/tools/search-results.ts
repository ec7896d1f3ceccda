/** ripgrep's output (with --null after each file name) as short text for the model. */

export type Found = {
  readonly output: string;
  /** Matches or files shown. */
  readonly limit: number;
  /** ripgrep was stopped; there is more than was counted. */
  readonly isPartial: boolean;
};

export function renderFiles({ output, limit, isPartial }: Found): string {
  const names = output
    .split("\0")
    .map(nameOf)
    .filter((name) => name !== "");
  return withCut(names.slice(0, limit), { total: names.length, limit, what: "files", isPartial });
}

/** Names as in a tree; a folder below `depth` is one line with the number of its files. */
export function renderFolder({ output, limit, isPartial, place, depth }: Found & Folder): string {
  const base = place === "." ? "" : `${place}/`;
  const counts = new Map<string, number>();
  for (const name of output.split("\0").map(nameOf)) {
    if (name === "") continue;
    const parts = (name.startsWith(base) ? name.slice(base.length) : name).split("/");
    const shown = parts.length > depth ? `${parts.slice(0, depth).join("/")}/` : parts.join("/");
    counts.set(shown, (counts.get(shown) ?? 0) + 1);
  }
  const rows = [...counts].map(([name, count]) => (name.endsWith("/") ? `${name} (${filesIn(count)})` : name));
  return withCut(rows.slice(0, limit), { total: rows.length, limit, what: "entries", isPartial });
}

type Folder = { readonly place: string; readonly depth: number };

function filesIn(count: number): string {
  return count === 1 ? "1 file" : `${count} files`;
}

export function renderCounts({ output, limit, isPartial }: Found): string {
  const rows = linesOf(output).map((line) => line.split("\0"));
  const shown = rows.slice(0, limit).map(([name = "", count = ""]) => `${nameOf(name)}: ${count}`);
  return withCut(shown, { total: rows.length, limit, what: "files", isPartial });
}

/** Grouped by file: "path" and below it "12: line" for a match, "13- line" for context. */
export function renderMatches({ output, limit, isPartial }: Found): string {
  const shown: string[] = [];
  const files = new Set<string>();
  let matches = 0;
  let file = "";
  let last = 0;
  for (const row of linesOf(output)) {
    const [, name = "", number = "", kind = "", text = ""] = /^([^\0]*)\0(\d+)([:-])([\s\S]*)$/.exec(row) ?? [];
    if (kind === ":") {
      matches += 1;
      files.add(name);
    }
    if (matches > limit || number === "") continue;
    if (name !== file) shown.push(`${shown.length > 0 ? "\n" : ""}${nameOf(name)}`);
    else if (Number(number) > last + 1 && kind === "-") shown.push("…");
    shown.push(`${number}${kind} ${text}`);
    file = name;
    last = Number(number);
  }
  if (matches === 0) return "No match in text files.";
  return withCut(shown, { total: matches, limit, what: `matches in ${files.size} files`, isPartial });
}

type Cut = { readonly total: number; readonly limit: number; readonly what: string; readonly isPartial: boolean };

function withCut(shown: readonly string[], { total, limit, what, isPartial }: Cut): string {
  const more = isPartial ? "more than " : "";
  if (total <= limit && !isPartial) return shown.join("\n");
  return [
    ...shown,
    `[… first ${Math.min(limit, total)} of ${more}${total} ${what}; narrow the search or raise limit …]`,
  ].join("\n");
}

function linesOf(output: string): readonly string[] {
  return output.split(/\r?\n/).filter((line) => line !== "");
}

function nameOf(path: string): string {
  return path.replace(/^\.\//, "").trim();
}
