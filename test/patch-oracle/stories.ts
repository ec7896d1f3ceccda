/** Seeded files and headerless V4A diffs of them, as they should be and spoiled, for two engines to be compared on. */
import type { Random } from "../patch/random.ts";

export type Story = { readonly before: string; readonly diff: string };

const WORDS = ["alpha", "beta()", "  gamma", "\tdelta", "}", "", "  “quoted”", "epsilon ", "it’s"];

/** A file of up to 16 lines, some of them the same, and a diff with one to three chunks. */
export function makeStory(random: Random): Story {
  const ending = random.chance(0.2) ? "\r\n" : "\n";
  const lines = Array.from(
    { length: 1 + random.below(16) },
    (_, i) => random.pick(WORDS) + (random.chance(0.6) ? i : ""),
  );
  const isOpen = random.chance(0.2);
  const before = lines.join(ending) + (isOpen ? "" : ending);
  const diff: string[] = [];
  let at = 0;
  for (let chunk = 0; chunk < 1 + random.below(3) && at < lines.length; chunk++) {
    const from = at + random.below(Math.max(1, lines.length - at));
    const to = Math.min(lines.length, from + 1 + random.below(6));
    diff.push(from > at && random.chance(0.3) ? `@@ ${lines[from - 1] ?? ""}` : "@@");
    diff.push(...lines.slice(from, to).flatMap((line) => makeLine(line, random)));
    if (to === lines.length && random.chance(0.3)) diff.push("*** End of File");
    at = to;
  }
  return { before, diff: random.chance(0.5) ? diff.join("\n") : spoil(diff, random).join("\n") };
}

function makeLine(line: string, random: Random): readonly string[] {
  const fate = random.below(6);
  if (fate === 0) return [`-${line}`];
  if (fate === 1) return [`-${line}`, "+new"];
  if (fate === 2) return [` ${line}`, "+new", "+ more"];
  return [` ${line}`];
}

function spoil(diff: readonly string[], random: Random): readonly string[] {
  const lines = [...diff];
  for (let i = 0; i < 1 + random.below(2); i++) {
    const at = random.below(lines.length);
    const line = lines[at] ?? "";
    const asciied = line.replace(/[“”]/g, '"').replace(/’/g, "'");
    lines[at] = random.pick([
      `${line} `,
      line.trimEnd(),
      `${line.slice(0, 1)}  ${line.slice(1)}`,
      asciied,
      "",
      ` other`,
      "@@",
      "@@ nowhere",
    ]);
  }
  return lines;
}
