import { expect, test } from "vitest";
import { planPatch } from "../../src/patch/apply.ts";
import { patchOfOperation } from "../../src/patch/operation.ts";
import { parsePatch } from "../../src/patch/parse.ts";
import { PatchError, type Patch } from "../../src/patch/patch.ts";
import { replaceText } from "../../src/patch/replace.ts";
import { parseStrict } from "../../src/patch/strict-parse.ts";
import { runStrict } from "../../src/patch/strict.ts";
import { readShellPatch } from "../../src/tools/shell-patch.ts";
import { mulberry32, type Random } from "./random.ts";

/** `FUZZ=100000 vitest run test/patch/fuzz-formats.test.ts` is the long run, a minute or so. */
const CASES = Number(process.env["FUZZ"] ?? 2000);
const TIMEOUT_MS = 30_000 + CASES * 10;
const WORDS = ["a", "b()", "  c", "\td", "}", "", "  “q”", "e ", "*** x", "@@ y", "-- z", "++ w", "$&", "--- a/f"];

test("a unified diff of two texts turns one into the other, byte for byte", { timeout: TIMEOUT_MS }, () => {
  const random = mulberry32(11);
  for (let i = 0; i < CASES; i++) {
    const story = makeStory(random);
    const diff = renderUnified(random, story);
    if (diff === null) continue;
    const patch = parsePatch(diff);
    const [edit] = planPatch(patch, new Map([["f", story.before]])).edits;
    const after = edit?.kind === "write" ? edit.text : edit === undefined ? story.before : null;
    // A diff that shows none of a file's "\r\n" cannot say which ending is meant.
    const isTold = diff.includes("\r") || !story.before.includes("\r");
    const [got, wanted] = [after, story.after].map((text) => (isTold ? text : text?.replaceAll("\r\n", "\n")));
    expect(got, JSON.stringify({ i, diff, story })).toBe(wanted);
  }
});

test(
  "no text in any format does more than it says, and nothing but a PatchError is thrown",
  { timeout: TIMEOUT_MS },
  () => {
    const random = mulberry32(12);
    let applied = 0;
    for (let i = 0; i < CASES; i++) {
      const story = makeStory(random);
      const text = spoil(random, renderUnified(random, story) ?? renderV4a(story));
      const files = new Map<string, string | null>([
        ["f", story.before],
        ["g", null],
      ]);
      const told = JSON.stringify({ i, text, before: story.before });
      const result = attempt(() => planPatch(readAny(random, text), files), told);
      expect(files).toEqual(
        new Map([
          ["f", story.before],
          ["g", null],
        ]),
      );
      if (result instanceof PatchError) continue;
      applied += 1;
      for (const edit of result.edits)
        if (edit.kind === "write") expectKnownLines(edit.text, story.before + text, told);
      attempt(() => readShellPatch(text), told);
    }
    expect(applied).toBeGreaterThan(CASES / 20);
  },
);

test("strict does only what its text says, and a failure keeps what came before", { timeout: TIMEOUT_MS }, () => {
  const random = mulberry32(13);
  for (let i = 0; i < CASES; i++) {
    const story = makeStory(random);
    const text = random.chance(0.5) ? spoil(random, renderV4a(story)) : renderV4a(story);
    const files = new Map<string, string | null>([
      ["f", story.before],
      ["g", null],
    ]);
    const told = JSON.stringify({ i, text, before: story.before });
    const run = attempt(() => runStrict(parseStrict(text), files), told);
    expect(files.get("f")).toBe(story.before);
    if (run instanceof PatchError) continue;
    for (const edit of run.edits) if (edit.kind === "write") expectKnownLines(edit.text, story.before + text, told);
  }
});

test("a replacement changes one place and keeps every byte around it", { timeout: TIMEOUT_MS }, () => {
  const random = mulberry32(14);
  for (let i = 0; i < CASES; i++) {
    const { before } = makeStory(random);
    const from = random.below(before.length + 1);
    const oldText = before.slice(from, from + 1 + random.below(12));
    if (oldText === "" || before.indexOf(oldText) !== before.lastIndexOf(oldText)) continue;
    const newText = random.pick(["", "X", `${oldText}$&`, "X\nY"]);
    const result = attempt(
      () => replaceText(before, { oldText, newText, isAll: false }),
      JSON.stringify({ i, before }),
    );
    if (result instanceof PatchError || result.step !== "exact") continue;
    const inserted = result.text.slice(from, result.text.length - (before.length - from - oldText.length));
    expect(result.text.startsWith(before.slice(0, from))).toBe(true);
    expect(inserted.replaceAll("\r\n", "\n")).toBe(newText.replaceAll("\r\n", "\n"));
    expect(result.text.endsWith(before.slice(from + oldText.length))).toBe(true);
  }
});

type Line = { readonly sign: " " | "-" | "+"; readonly text: string };
type Story = { readonly before: string; readonly after: string; readonly lines: readonly Line[] };

/** Two texts as one list of lines, each with its ending; the last may have none. */
function makeStory(random: Random): Story {
  const mixed = random.chance(0.2);
  const ending = random.pick(["\n", "\n", "\r\n"]);
  const lines: Line[] = Array.from({ length: 1 + random.below(16) }, () => {
    const own = mixed ? random.pick(["\n", "\r\n"]) : ending;
    const text = `${random.pick(WORDS)}${random.chance(0.4) ? random.below(20) : ""}${own}`;
    return { sign: random.pick([" ", " ", " ", "-", "+"] as const), text };
  });
  const sides = { before: textOf(lines, "+"), after: textOf(lines, "-") };
  return { ...sides, lines };
}

function textOf(lines: readonly Line[], without: string): string {
  return lines.flatMap(({ sign, text }) => (sign === without ? [] : [text])).join("");
}

/** Chunks with up to three lines of context. Null when nothing changes. */
function renderUnified(random: Random, { before, after, lines }: Story): string | null {
  const width = random.below(4);
  const shown = lines.map((_, i) =>
    lines.slice(Math.max(0, i - width), i + width + 1).some(({ sign }) => sign !== " "),
  );
  if (!shown.includes(true)) return null;
  const body: string[] = [];
  let [old, fresh] = [0, 0];
  for (let i = 0; i < lines.length; i++) {
    if (shown[i] === true && shown[i - 1] !== true) {
      const end = shown.indexOf(false, i);
      const chunk = lines.slice(i, end === -1 ? undefined : end);
      const [a, b] = [chunk.filter(({ sign }) => sign !== "+").length, chunk.filter(({ sign }) => sign !== "-").length];
      body.push(`@@ -${a === 0 ? old : old + 1},${a} +${b === 0 ? fresh : fresh + 1},${b} @@\n`);
      body.push(...chunk.map(({ sign, text }) => sign + text));
    }
    if (lines[i]?.sign !== "+") old += 1;
    if (lines[i]?.sign !== "-") fresh += 1;
  }
  const header = before === "" ? "--- /dev/null\n+++ b/f\n" : `--- a/f\n+++ ${after === "" ? "/dev/null" : "b/f"}\n`;
  // A file that becomes empty and a file that goes are two things; here it stays.
  return (after === "" ? "--- a/f\n+++ b/f\n" : header) + body.join("");
}

function renderV4a({ lines }: Story): string {
  return `*** Begin Patch\n*** Update File: f\n@@\n${lines.map(({ sign, text }) => sign + text).join("")}*** End Patch\n`;
}

function readAny(random: Random, text: string): Patch {
  if (random.chance(0.7)) return parsePatch(text);
  const type = random.pick(["update_file", "create_file"] as const);
  return patchOfOperation({ type, path: "f", diff: text.split("\n").slice(2).join("\n") });
}

function expectKnownLines(text: string, known: string, told: string): void {
  for (const line of text.split(/[\r\n]+/)) expect(known.includes(line.trim()), `${told}\n${line}`).toBe(true);
}

function spoil(random: Random, text: string): string {
  const lines = text.split("\n");
  for (let i = 0; i < random.below(4); i++) {
    const at = random.below(lines.length);
    const line = lines[at] ?? "";
    const kinds = [
      "",
      line.slice(1),
      `${line} `,
      ` ${line}`,
      line.trim(),
      `${line}\r`,
      "@@",
      "@@ -3 +3 @@",
      "--- a/g",
      "+++ b/g",
    ];
    const more = [
      "*** End of File",
      "*** Delete File: f",
      "*** Move to: g",
      "*** Add File: g",
      "rename to g",
      "+++ /dev/null",
    ];
    const git = [
      "diff --git a/f b/g",
      "new file mode 100755",
      "\\ No newline at end of file",
      "GIT binary patch",
      "```",
      "EOF",
    ];
    lines.splice(at, random.pick([0, 1, 1, 2]), random.pick([...kinds, ...more, ...git]));
  }
  return lines.join("\n");
}

function attempt<T>(run: () => T, told: string): T | PatchError {
  try {
    return run();
  } catch (error) {
    if (error instanceof PatchError) return error;
    throw new Error(`not a PatchError for ${told}`, { cause: error });
  }
}
