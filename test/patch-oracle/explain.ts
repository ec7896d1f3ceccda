/**
 * Why our engine and OpenAI's applyDiff may differ. A class is claimed by trial: its cause is taken out of the story, and the two must
 * then agree, or differ for another class whose cause is taken out next. Explained in docs/decisions/0005-patch-oracle.md.
 */
import { foldPunctuation } from "../../src/patch/fold.ts";
import { askOurs, askTheirs, type Answer } from "./ask.ts";
import { bareAdditions, chunkAt, linesOf, oldLinesFrom, type Chunk } from "./diff-lines.ts";
import type { Story } from "./stories.ts";

type Asked = { readonly ours: Story; readonly theirs: Story };

/** What each engine is asked, and what it says. */
type Matter = {
  readonly asked: Asked;
  readonly ours: Answer;
  readonly theirs: Answer;
};

/** The stories without the cause, one for each way it may have gone; "same" when the answers say the same already. */
type Removal = (matter: Matter) => readonly Asked[] | "same";

/** Causes in one story; more are noise. */
const DEPTH_MAX = 5;

/** The classes that explain the difference, empty when there is none, null for a defect of one of the two. */
export function explain(story: Story): readonly string[] | null {
  return search({ ours: story, theirs: story }, DEPTH_MAX);
}

function search(asked: Asked, depth: number): readonly string[] | null {
  const matter = { asked, ours: askOurs(asked.ours), theirs: askTheirs(asked.theirs) };
  if (matter.ours.text === matter.theirs.text) return [];
  if (depth === 0) return null;
  for (const [name, remove] of REMOVALS) {
    const ways = remove(matter);
    if (ways === "same") return [name];
    for (const next of ways) {
      const rest = search(next, depth - 1);
      if (rest !== null) return [name, ...rest];
    }
  }
  return null;
}

const REMOVALS: readonly (readonly [string, Removal])[] = [
  ["nothing to do refused", removeEmptyRequest],
  ["unknown scope refused", removeScope],
  ["ambiguous place refused", removeAmbiguity],
  ["indentation refused", removeIndentation],
  ["end of file is the end", removeEndOfFile],
  ["empty chunk ignored", removeEmptyChunk],
  ["typed punctuation read", removePunctuation],
  ["blank line between chunks ignored", removeBlanks],
  ["newline at the end kept", removeFinalNewline],
  ["line after the last newline", removeLineBelow],
  ["bare addition at the end", removeBareAdditions],
];

/** Nothing would change, or not in this chunk. */
function removeEmptyRequest({ asked, ours, theirs }: Matter): ReturnType<Removal> {
  if (/has no lines/.test(ours.why) && theirs.text === asked.theirs.before) return "same";
  const place = /^Patch line (\d+): the chunk has no lines/.exec(ours.why);
  if (place === null) return [];
  const { from, to } = chunkAt(asked.ours.diff, Number(place[1]));
  return [{ ...asked, ours: edit(asked.ours, (lines) => lines.toSpliced(from, to - from)) }];
}

function removeScope({ asked, ours }: Matter): ReturnType<Removal> {
  const scope = /no line matches "(@@ .*)"\./.exec(ours.why)?.[1];
  if (scope === undefined) return [];
  return [{ ...asked, ours: edit(asked.ours, (lines) => lines.map((line) => (line === scope ? "@@" : line))) }];
}

/** With the line number of one of the places, which theirs takes. */
function removeAmbiguity({ asked, ours }: Matter): ReturnType<Removal> {
  const place = /patch line (\d+): the place is ambiguous, it matches at lines ([\d, ]+)/.exec(ours.why);
  const numbers = place?.[2]?.split(", ") ?? [];
  return numbers.map((number) => ({
    ...asked,
    ours: setHeader(asked.ours, Number(place?.[1]), `@@ -${number} +${number} @@`),
  }));
}

/** With the old lines as the file has them. */
function removeIndentation({ asked, ours }: Matter): ReturnType<Removal> {
  const place = /patch line (\d+): the old lines match at line (\d+) only/.exec(ours.why);
  if (place === null) return [];
  return [{ ...asked, ours: quoteFile(asked.ours, chunkAt(asked.ours.diff, Number(place[1])), Number(place[2])) }];
}

function removeEndOfFile({ asked, ours }: Matter): ReturnType<Removal> {
  const place = /patch line (\d+): these lines are not at the end of the file/.exec(ours.why);
  if (place === null) return [];
  const at = linesOf(asked.ours.diff).findIndex((line, i) => i >= Number(place[1]) - 1 && line === "*** End of File");
  return [{ ...asked, ours: edit(asked.ours, (lines) => lines.toSpliced(at, 1)) }];
}

function removeEmptyChunk({ asked, theirs }: Matter): ReturnType<Removal> {
  if (!theirs.why.includes("Nothing in this section")) return [];
  const isEmpty = (line: string, next: string | undefined) =>
    line.trimEnd() === "@@" && (next === undefined || next.startsWith("@@"));
  const drop = (lines: readonly string[]) => lines.filter((line, i) => !isEmpty(line, lines[i + 1]));
  return changed(asked, { ...asked, theirs: edit(asked.theirs, drop) });
}

/** With the file's own characters in the old lines. */
function removePunctuation({ asked, theirs }: Matter): ReturnType<Removal> {
  if (!/Invalid (EOF )?Context/.test(theirs.why)) return [];
  const own = linesOf(asked.theirs.before);
  const quote = (line: string) => {
    if (line.startsWith("+") || line.startsWith("@@") || !/["']/.test(line)) return line;
    const same = own.find((one) => foldPunctuation(one).trim() === line.slice(1).trim());
    return same === undefined ? line : line.slice(0, 1) + same;
  };
  return changed(asked, { ...asked, theirs: edit(asked.theirs, (lines) => lines.map(quote)) });
}

/** Blank lines above a header, above the first line, and below the last. */
function removeBlanks({ asked }: Matter): ReturnType<Removal> {
  const isSpacing = (lines: readonly string[], at: number) => {
    if (lines[at]?.trim() !== "") return false;
    const next = lines.slice(at).find((line) => line.trim() !== "");
    return next === undefined || next.startsWith("@@") || lines.slice(0, at).every((line) => line.trim() === "");
  };
  return changed(asked, {
    ...asked,
    theirs: edit(asked.theirs, (lines) => lines.filter((_, at) => !isSpacing(lines, at))),
  });
}

/** A file without a last newline, whose last lines change: the answers differ in that newline alone. */
function removeFinalNewline({ asked, ours, theirs }: Matter): ReturnType<Removal> {
  if (ours.text === null || theirs.text === null || asked.ours.before.endsWith("\n")) return [];
  const [short, long] = [ours.text, theirs.text].toSorted((a, b) => a.length - b.length);
  return [`${short}\n`, `${short}\r\n`].some((text) => text === long) ? "same" : [];
}

/** What theirs takes for an empty last line, quoted in the last chunk, is not there for either. */
function removeLineBelow({ asked }: Matter): ReturnType<Removal> {
  if (!/^$|\n$/.test(asked.ours.before)) return [];
  const cut = (story: Story) =>
    edit(story, (lines) => {
      const at = lines.findLastIndex((line) => !line.startsWith("+") && !line.startsWith("*** "));
      return /^[- ]?\s*$/.test(lines[at] ?? "+") ? lines.toSpliced(at, 1) : lines;
    });
  return changed(asked, { ours: cut(asked.ours), theirs: cut(asked.theirs) });
}

function removeBareAdditions({ asked }: Matter): ReturnType<Removal> {
  const cut = (story: Story) => {
    const bare = new Set(
      bareAdditions(story.diff).flatMap(({ from, to }) => Array.from({ length: to - from }, (_, i) => from + i)),
    );
    return edit(story, (lines) => lines.filter((_, i) => !bare.has(i)));
  };
  return changed(asked, { ours: cut(asked.ours), theirs: cut(asked.theirs) });
}

function changed(before: Asked, after: Asked): readonly Asked[] {
  return before.ours.diff === after.ours.diff && before.theirs.diff === after.theirs.diff ? [] : [after];
}

function edit(story: Story, change: (lines: readonly string[]) => readonly string[]): Story {
  return { ...story, diff: change(linesOf(story.diff)).join("\n") };
}

function setHeader(story: Story, patchLine: number, header: string): Story {
  return edit(story, (lines) => {
    const at = patchLine - 1;
    return lines.toSpliced(at, lines[at]?.startsWith("@@") === true ? 1 : 0, header);
  });
}

function quoteFile(story: Story, chunk: Chunk, lineNumber: number): Story {
  const own = linesOf(story.before);
  const old = oldLinesFrom(story.diff, chunk);
  return edit(story, (lines) =>
    lines.map((line, i) => (old.includes(i) ? line.slice(0, 1) + (own[lineNumber - 1 + old.indexOf(i)] ?? "") : line)),
  );
}
