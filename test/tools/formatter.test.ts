/** A formatter that the shell runs between a read and an edit: the real one this project is formatted with. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openWorkbench } from "./workbench.ts";

const PRETTIER = join(import.meta.dirname, "../../node_modules/prettier");
const FORMAT = `const { readFileSync, writeFileSync } = require("fs");
const { format } = require("./standalone.js");
const plugins = [require("./babel.js"), require("./estree.js")];
const [path] = process.argv.slice(2);
format(readFileSync(path, "utf8"), { parser: "babel", endOfLine: "auto", plugins }).then((text) => writeFileSync(path, text));
`;

const row = (i: number) =>
  `export function f${i}(a,b){return {first:a+${i},second:b*${i}, third:[a,b].map(x=>x+${i})}}`;
const source = Array.from({ length: 60 }, (_, i) => `${row(i)}\n`).join("");

async function openDesk(text: string) {
  const load = (path: string) => readFile(join(PRETTIER, path));
  const files = {
    "fmt/standalone.js": await load("standalone.js"),
    "fmt/babel.js": await load("plugins/babel.js"),
    "fmt/estree.js": await load("plugins/estree.js"),
    "fmt/format.cjs": FORMAT,
    "a.js": text,
  };
  return openWorkbench({ files });
}

test.each([
  ["LF", source],
  ["CRLF", source.replaceAll("\n", "\r\n")],
  ["CRLF and a byte-order mark", `\uFEFF${source.replaceAll("\n", "\r\n")}`],
])("after a formatter has run over a file with %s, one call mends a refused edit", async (_name, text) => {
  await using bench = await openDesk(text);
  await bench.call("edit", { command: "view", path: "a.js", view_range: [1, 5] });
  expect(await bench.call("shell", { command: "node fmt/format.cjs a.js" })).toContain("Exit status 0");
  const formatted = await bench.read("a.js");
  const edit = { command: "str_replace", path: "a.js", old_str: row(40), new_str: row(41) };
  const said = await bench.call("edit", edit);
  expect(said).toMatch(/^error: "a\.js" has changed since you read it \(a command or a formatter wrote it\)/);
  expect(await bench.read("a.js")).toBe(formatted);
  // The new text is copied from what the refusal shows.
  const shown = said.split("\n").map((line) => line.replace(/^ +\d+\t/, ""));
  const first = shown.indexOf("export function f40(a, b) {");
  const old_str = shown.slice(first, shown.indexOf("}", first) + 1).join("\n");
  const mended = await bench.call("edit", { ...edit, old_str, new_str: "export const f40 = null;\n// gone" });
  expect(mended).toMatch(/^ok: Replaced in a\.js at line \d+/);
  const ending = text.includes("\r") ? "\r\n" : "\n";
  const gone = `export const f40 = null;${ending}// gone`;
  expect(await bench.read("a.js")).toBe(formatted.replace(old_str.replaceAll("\n", ending), gone));
  expect((await bench.read("a.js")).startsWith("\uFEFF")).toBe(text.startsWith("\uFEFF"));
});

test("a formatter that changes nothing, and one that changes only the time stamp, make no edit stale", async () => {
  await using bench = await openDesk("export const a = 1;\n");
  await bench.call("edit", { command: "view", path: "a.js" });
  await bench.call("shell", { command: "node fmt/format.cjs a.js; touch -d 2001-01-01 a.js" });
  const edit = { command: "str_replace", path: "a.js", old_str: "1", new_str: "2" };
  expect(await bench.call("edit", edit)).toContain("ok: Replaced");
});
