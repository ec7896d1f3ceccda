/** Seeded nonsense for every tool that touches files: whatever a model sends is an observation, never a defect. */
import { readdir } from "node:fs/promises";
import { expect, test } from "vitest";
import { mulberry32 } from "../patch/random.ts";
import { openWorkbench } from "./workbench.ts";

/** Each costs a command in the sandbox. */
const ROUNDS = 150;
const OBSERVATION_BYTES_MAX = 50_000;

const cell = { cell_type: "code", execution_count: null, metadata: {}, outputs: [], source: "x" };
const files = {
  ".git/config": "[core]\n",
  "a.txt": "one\ntwo\r\nthree",
  "b.ipynb": JSON.stringify({ cells: [cell], metadata: {}, nbformat: 4, nbformat_minor: 5 }),
  "c.bin": Buffer.from([0, 1]),
  "d/e.ts": "export class A { m() {} }\n",
  u: Buffer.from("\uFEFFone\n", "utf16le"),
  l: Buffer.from([0xe9, 10]),
};
const paths = [
  ...["a.txt", "b.ipynb", "c.bin", "d/e.ts", "u", "l", "d", ".", "nope", "new/f", "a.txt/x", "d/", "a b", "-rf", "*"],
  ...["../x", "/etc/passwd", "", "\ud800", "é", ":(top)", "x".repeat(5000), "'\"$(id)`", ".git/config", ".git\\x"],
];
const texts = ["", "one", "two", "\n", "\r\n", "\ud800", "\0", "x".repeat(100_000), "$&", "one\ntwo", "\uFEFF", "é"];
const numbers = [-1, 0, 1, 2, 999_999_999, 1.5, Number.NaN, "2", null];
/** A long one can keep ripgrep busy for its whole minute. */
const patterns = [...texts.filter(({ length }) => length < 100), "[", "o+", "(?i)x", "\\n", "[\\n]"];
const globs = [...paths, "*.txt", "!*", "**/*", "{a,b", "[z", "/", "!"];

function openNonsense(seed: number) {
  const random = mulberry32(seed);
  const pick = <T>(values: readonly T[]): T | undefined => values[random.below(values.length)];
  /** Mostly of the right kind. */
  const of = (values: readonly unknown[]) =>
    random.below(10) > 0 ? pick(values) : pick([...paths, ...texts, ...numbers, true, [], {}, [1, -1]]);
  const maybe = (values: readonly unknown[]) => (random.below(2) === 0 ? undefined : of(values));
  const body = () => pick(["", "@@\n-one\n+x\n", "+x\n", "*** Move to: q\n@@\n-one\n+y\n", "@@\n+z\n"]);
  const calls: readonly (() => readonly [tool: string, input: unknown])[] = [
    () => ["edit", { command: "view", path: of(paths), view_range: maybe([[pick(numbers), pick(numbers)]]) }],
    () => ["edit", { command: "create", path: of(paths), file_text: of(texts) }],
    () => ["edit", { command: "str_replace", path: of(paths), old_str: of(texts), new_str: of(texts) }],
    () => ["edit", { command: "insert", path: of(paths), insert_line: of(numbers), insert_text: of(texts) }],
    () => ["undo", { path: of(paths) }],
    () => ["notebook", { command: of(["view", "delete"]), path: of(["b.ipynb", ...paths]), index: of(numbers) }],
    () => ["notebook", { command: "insert", path: of(["b.ipynb", ...paths]), source: of(texts), index: of(numbers) }],
    () => ["read", { files: of([[{ path: of(paths), start_line: maybe(numbers) }, pick(paths)]]) }],
    () => ["search", { pattern: maybe(patterns), path: maybe(paths), glob: maybe(globs), limit: maybe(numbers) }],
    () => ["history", { action: of(["log", "blame", "show", "diff"]), path: maybe(paths), revision: maybe(texts) }],
    () => [
      "shell",
      {
        command: `*** Begin Patch\n*** ${pick(["Add", "Update", "Delete"])} File: ${pick(paths)}\n${body()}*** End Patch`,
      },
    ],
  ];
  return () => pick(calls)?.() ?? ["nosuch", {}];
}

test("whatever is sent to a tool is answered in bounds, and nothing outside or in .git is touched", async () => {
  await using bench = await openWorkbench({ files, mustRead: false });
  const next = openNonsense(20261121);
  for (let round = 0; round < ROUNDS; round++) {
    const [tool, input] = next();
    const said = await bench.call(tool, input);
    expect(said.isWellFormed()).toBe(true);
    expect(Buffer.byteLength(said)).toBeLessThan(OBSERVATION_BYTES_MAX);
  }
  expect(await readdir(bench.base)).toEqual(["workspace"]);
  const tree = await bench.tree();
  expect(tree.filter((path) => path.startsWith(".git"))).toEqual([".git", ".git/config"]);
  expect(tree.filter((path) => path.includes(".pullwright-"))).toEqual([]);
  expect(await bench.read(".git/config")).toBe("[core]\n");
});
