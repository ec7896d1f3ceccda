import { expect, test } from "vitest";
import { insertLines } from "../../src/patch/insert.ts";
import { PatchError } from "../../src/patch/patch.ts";
import { replaceText, type Step } from "../../src/patch/replace.ts";

type Row = readonly [name: string, file: string, oldText: string, newText: string, expected: string, step: Step];

const rows: readonly Row[] = [
  ["an exact hit is replaced", "a b c", "b", "B", "a B c", "exact"],
  ["a dollar is a dollar", "a b c", "b", "$& $1 $$ $`", "a $& $1 $$ $` c", "exact"],
  ["new lines in a CRLF file end as it does", "a\r\nb\r\n", "b", "b\nc", "a\r\nb\r\nc\r\n", "exact"],
  ["CRLF in the old text is taken as meant", "a\r\nb\r\n", "a\r\nb", "a\nb", "a\nb\r\n", "exact"],
  ["LF old text fits a CRLF file", "a\r\nb\r\nc\r\n", "a\nb\n", "A\nB\n", "A\r\nB\r\nc\r\n", "line-endings"],
  ["an old text that begins with a newline takes the whole ending", "a\r\nb\r\nc", "\nb", "", "a\r\nc", "line-endings"],
  ["CRLF old text fits an LF file", "a\nb\nc\n", "a\r\nb", "A\r\nb", "A\nb\nc\n", "line-endings"],
  ["old Mac endings are endings", "a\rb\rc", "a\nb", "a\nB", "a\rB\rc", "line-endings"],
  ["trailing space in the file is forgiven", "a  \nb\nc \n", "a\nb\nc", "a\nB\nc", "a  \nB\nc \n", "trailing-space"],
  ["trailing space in the old text is forgiven", "a\nb\n", "a  \nb  \n", "a\nB\n", "a\nB\n", "trailing-space"],
  [
    "space at the end of the old text may be space inside the new",
    "End.\n",
    "End. \n",
    "End. X\n",
    "End. X\n",
    "trailing-space",
  ],
  ["trailing space that old and new text differ in is the file's", "a \n", "a  \n", "b \n", "b \n", "trailing-space"],
  ["trailing space that the new text takes away goes", "“a” \nb", '"a" \nb', '"a"\nb', "“a”\nb", "punctuation"],
  ["new lines go below the file's trailing space", "x  \na  \n", "x\na", "x\na\nb", "x  \na  \nb\n", "trailing-space"],
  ["a blank line typed without its spaces is a whole line", "a\n  \nb \nc\n", "\nb\n", "", "a\nc\n", "trailing-space"],
  ["a blank line of spaces is a whole line", "a\n  \nb\nc\n", "   \nb\n", "", "a\nc\n", "trailing-space"],
  [
    "lines between two changes keep their space where the lines agree",
    "a \nb\n",
    "a\nb\n",
    "a\nB\n\n",
    "a \nB\n\n",
    "trailing-space",
  ],
  [
    "new lines in a file of mixed endings end as the lines they stand for",
    "a\r\nb\nc\n",
    "a\nb\n",
    "A\nB\n",
    "A\r\nB\nc\n",
    "line-endings",
  ],
  [
    "quotes of the file stay where nothing changes",
    "say “hi” — now",
    'say "hi" - now',
    'say "bye" - now',
    "say “bye” — now",
    "punctuation",
  ],
  [
    "typographic quotes of the old text are read as the file's",
    "a = 'x'\nb",
    "a = ’x’\nb",
    "a = 'y'\nb",
    "a = 'y'\nb",
    "punctuation",
  ],
  [
    "a line without the differing quotes is taken as it is",
    "it’s so\n",
    "it's so\n",
    "it is so\n",
    "it is so\n",
    "punctuation",
  ],
  ["a hard space is a space", "a\u00a0b", "a b", "a c", "a\u00a0c", "punctuation"],
  [
    "a shallower old text is shifted",
    "if x:\n    if y:\n        z()\n",
    "if y:\n    z()",
    "if y:\n    z()\n    w()",
    "if x:\n    if y:\n        z()\n        w()\n",
    "indentation",
  ],
  ["a deeper old text is shifted back", "a:\n  b\n", "  a:\n    b\n", "  a:\n    c\n", "a:\n  c\n", "indentation"],
  [
    "new lines in the file's tabs stay below old ones typed in spaces",
    "\tif a {\n\t\tb()\n\t}\n",
    "    if a {\n        b()\n    }",
    "\tif a {\n\t\tc()\n\t}",
    "\tif a {\n\t\tc()\n\t}\n",
    "indentation",
  ],
];

test.each(rows)("%s", (_name, file, oldText, newText, expected, step) => {
  const replaced = replaceText(file, { oldText, newText, isAll: false });
  expect({ text: replaced.text, step: replaced.step }).toEqual({ text: expected, step });
});

test("all places are replaced when asked", () => {
  expect(replaceText("a a a", { oldText: "a", newText: "aa", isAll: true })).toEqual({
    text: "aa aa aa",
    step: "exact",
    lines: [1, 1, 1],
  });
  expect(replaceText("x \ny\nx\t\ny\n", { oldText: "x\ny", newText: "x\nz", isAll: true }).text).toBe(
    "x \nz\nx\t\nz\n",
  );
});

const refusals: readonly (readonly [name: string, file: string, oldText: string, newText: string])[] = [
  ["an empty old text", "a\n", "", "b"],
  ["a replacement that changes nothing", "a\n", "a", "a"],
  ["two exact places", "def a():\n  return 1\ndef b():\n  return 1\n", "  return 1", "  return 2"],
  ["overlapping places", "aaa\n", "aa", "b"],
  ["two lenient places", "a \nb\na\t\nb\n", "a\nb", "c"],
  ["a text that is not there, with what is near", "one\ntwo\nthree\nfour\n", "two\ndrei\nfour", "x"],
  ["a text like nothing in the file", "one\n", "zzzz", "x"],
  ["an empty file", "", "zzzz", "x"],
  ["indentation that no rule explains", "a\n    b\n  c\n", "  b\n    c", "  d"],
  ["a changed line that ends in space in the file alone", "foo   \nx", "foo\nx", "foo bar\nx"],
  ["space at the end that would end a word", "food\n", "foo  ", "bar"],
  ["a blank line that would be the end of another", "a\nb\n", "  \nb", "  \nc"],
  ["new quotes of the old text's kind in a file of the other", "x = 'a'\n", "x = ’a’\n", "x = ’a’ + 'b'\n"],
  ["two quoted words of the file's quotes that change", "“a” and “b”\n", '"a" and "b"\n', '"c" and "d"\n'],
  ["new lines in spaces like the old ones, in a file of tabs", "\tif a {\n", "    if a {\n", "    if b {\n"],
  ["endings that change with more than them", "a\r\nb\r\n", "a \r\nb\r\n", "a\nb\n"],
  ["one of two blank lines less, where the file's differ", "}\n  \n\n", "}\n\n\n", "}\n\n"],
  ["a line twice that the file has with space behind it", "x \ny\n", "x\ny", "x\nx\ny"],
  ["new lines in tabs and spaces below old ones in spaces", "\tif a {\n", "    if a {\n", "\tif (a) {\n      x\n"],
];

test("refusals say what was wrong and where to look", async () => {
  const told = refusals.map(([name, file, oldText, newText]) => {
    const message = refusalOf(() => replaceText(file, { oldText, newText, isAll: false }));
    return `## ${name}\n\n${message}\n`;
  });
  await expect(told.join("\n")).toMatchFileSnapshot("replace-refusals.md");
});

const inserts: readonly (readonly [name: string, file: string, line: number, inserted: string, expected: string])[] = [
  ["at the start", "a\nb\n", 0, "x", "x\na\nb\n"],
  ["in the middle", "a\nb\n", 1, "x\ny\n", "a\nx\ny\nb\n"],
  ["at the end", "a\nb\n", 2, "x\n", "a\nb\nx\n"],
  ["at the end of a file without newline", "a\nb", 2, "x\n", "a\nb\nx"],
  ["into an empty file", "", 0, "x", "x\n"],
  ["into a CRLF file", "a\r\nb\r\n", 1, "x\ny", "a\r\nx\r\ny\r\nb\r\n"],
  ["behind a byte-order mark", "\uFEFFa\n", 0, "x", "\uFEFFx\na\n"],
  ["a blank line", "a\n", 1, "", "a\n\n"],
];

test.each(inserts)("lines are inserted %s", (_name, file, line, inserted, expected) => {
  expect(insertLines(file, line, inserted)).toBe(expected);
});

test("a line outside the file is refused", () => {
  expect(refusalOf(() => insertLines("a\n", 2, "x"))).toBe(
    "insert_line 2 is outside the file: use 0 (its start) to 1 (its end).",
  );
});

function refusalOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof PatchError) return error.message;
    throw error;
  }
  throw new Error("it was not refused");
}
