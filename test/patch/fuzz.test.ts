import { expect, test } from "vitest";
import { pathsOf, planPatch } from "../../src/patch/apply.ts";
import { parsePatch } from "../../src/patch/parse.ts";
import { PatchError } from "../../src/patch/patch.ts";
import { replaceText } from "../../src/patch/replace.ts";
import { mulberry32, type Random } from "./random.ts";

/** Enough to find what these tests found while they were written; the full hundred thousand run in a bench. */
const CASES = 3000;
const WORDS = ["a", "b()", "  c", "\td", "}", "", "  “q”", "e ", "*** x", "@@ y", "-z", "+w", "$&"];

test("a patch made from two versions of a file turns one into the other, whatever its endings", () => {
  const random = mulberry32(1);
  let applied = 0;
  for (let i = 0; i < CASES; i++) {
    const story = makeStory(random);
    const result = attempt(() => planPatch(parsePatch(story.patch), new Map([["f", story.before]])));
    // Only an ambiguous place may be refused: what a line-based patch cannot say must not be guessed.
    if (result instanceof PatchError) expect(result.message).toContain("ambiguous");
    else {
      const [edit] = result.edits;
      expect(edit === undefined ? story.before : edit.kind === "write" && edit.text, story.patch).toBe(story.after);
      applied += 1;
    }
  }
  expect(applied).toBeGreaterThan(CASES / 3);
});

test("a spoiled patch is applied or refused, never half applied, and nothing else is thrown", () => {
  const random = mulberry32(2);
  for (let i = 0; i < CASES; i++) {
    const story = makeStory(random);
    const spoiled = spoil(random, story.patch);
    const files = new Map([["f", story.before]]);
    const result = attempt(() => {
      const patch = parsePatch(spoiled);
      pathsOf(patch);
      return planPatch(patch, files);
    });
    expect(files).toEqual(new Map([["f", story.before]]));
    if (result instanceof PatchError) expect(result.message).not.toBe("");
  }
});

test("a replacement leaves every byte outside the matched lines as it was", () => {
  const random = mulberry32(3);
  for (let i = 0; i < CASES; i++) {
    const lines = Array.from(
      { length: 1 + random.below(12) },
      (_, n) => `${random.pick(WORDS)}${random.chance(0.5) ? n : ""}`,
    );
    const ends = lines.map(() => random.pick(["\n", "\r\n"]));
    const text = lines.map((line, n) => line + (ends[n] ?? "")).join("");
    const from = random.below(lines.length);
    const to = Math.min(lines.length, from + 1 + random.below(4));
    const oldText = spoilText(random, lines.slice(from, to).join("\n"));
    const newText = random.pick(["X", "", `${oldText}\nX`, oldText.replace(/.$/, "Y")]);
    const result = attempt(() => replaceText(text, { oldText, newText, isAll: false }));
    if (result instanceof PatchError) continue;
    const head = offsetOfLine(text, (result.lines[0] ?? 1) - 1);
    expect(result.text.slice(0, head)).toBe(text.slice(0, head));
    const tail = text.slice(offsetOfLine(text, (result.lines[0] ?? 1) - 1 + (to - from) + 1));
    expect(result.text.endsWith(tail), JSON.stringify({ text, oldText, newText, result })).toBe(true);
  }
});

type Story = { readonly before: string; readonly after: string; readonly patch: string };

/** A file with one ending, changed in a few places, and the patch with all lines as context, so that it is never wrong. */
function makeStory(random: Random): Story {
  const ending = random.pick(["\n", "\r\n"]);
  const isOpen = random.chance(0.2);
  const before: string[] = [];
  const after: string[] = [];
  const body: string[] = [];
  let isSpoken = false;
  const count = random.below(14);
  for (let i = 0; i < count; i++) {
    const line = `${random.pick(WORDS)}${random.chance(0.5) ? i : ""}`;
    before.push(line);
    if (random.chance(0.15) && isSpoken) {
      // Skips a line: a new chunk begins below it.
      after.push(line);
      if (body.at(-1) !== "@@") body.push("@@");
      continue;
    }
    isSpoken = true;
    const fate = random.below(6);
    if (fate === 0) body.push(`-${line}`);
    else {
      after.push(line);
      body.push(` ${line}`);
      if (fate === 1) {
        after.push("new");
        body.push("+new");
      }
    }
  }
  while (body.at(-1) === "@@") body.pop();
  const patch = ["*** Begin Patch", "*** Update File: f", "@@", ...body, "*** End Patch"].join("\n");
  // One line without an ending would not say which ending the file has.
  const wasOpen =
    isOpen && before.length > 1 && before.at(-1) !== "" && after.at(-1) !== "" && body.at(-1)?.startsWith("-") !== true;
  return body.every((line) => !/^[-+]/.test(line))
    ? makeStory(random)
    : { before: join(before, ending, wasOpen), after: join(after, ending, wasOpen), patch };
}

function join(lines: readonly string[], ending: string, isOpen: boolean): string {
  return lines.join(ending) + (isOpen || lines.length === 0 ? "" : ending);
}

function spoil(random: Random, patch: string): string {
  const lines = patch.split("\n");
  for (let i = 0; i < 1 + random.below(3); i++) {
    const at = random.below(lines.length);
    const line = lines[at] ?? "";
    const kinds = [
      "",
      line.slice(1),
      `${line} `,
      ` ${line}`,
      line.trim(),
      "*** End of File",
      "@@ a",
      "*** Delete File: f",
      "@@ -3,1 +3,1 @@",
      "\\ No newline at end of file",
    ];
    lines.splice(at, random.pick([0, 1, 1, 2]), random.pick(kinds));
  }
  return lines.join("\n");
}

function spoilText(random: Random, text: string): string {
  return random.pick([
    text,
    text.replaceAll("\n", " \n"),
    text.replace(/^ +/gm, ""),
    text.replaceAll("“", '"').replaceAll("”", '"'),
    `  ${text.replaceAll("\n", "\n  ")}`,
  ]);
}

function offsetOfLine(text: string, index: number): number {
  let at = 0;
  for (let i = 0; i < index; i++) at = text.indexOf("\n", at) === -1 ? text.length : text.indexOf("\n", at) + 1;
  return at;
}

function attempt<T>(run: () => T): T | PatchError {
  try {
    return run();
  } catch (error) {
    if (error instanceof PatchError) return error;
    throw error;
  }
}
