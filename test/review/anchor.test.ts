import { expect, test } from "vitest";
import type { Finding } from "../../src/outcome.ts";
import { anchorFinding, readDiffLines } from "../../src/review/anchor.ts";
import { selectFindings } from "../../src/review/select.ts";
import { readDiff } from "../../src/workspace/snapshot.ts";
import { openRepository } from "../workspace/repository.ts";

const lines = Array.from({ length: 40 }, (_, i) => `line ${i + 1}`);
const edited = lines.with(4, "changed 5").with(29, "changed 30");

async function diffOf(before: Record<string, string>, after: Record<string, string>) {
  await using repository = await openRepository(before, after);
  const [base = "", head = ""] = repository.commits;
  return readDiffLines(await readDiff({ gitDir: repository.mirror.gitDir, workTree: null }, base, head));
}

test("the lines of a diff are the new file's, context included, by hunk", async () => {
  const found = await diffOf({ "a.ts": lines.join("\n") }, { "a.ts": edited.join("\n"), "new.ts": "one\ntwo\n" });
  expect([...found]).toEqual([
    [
      "a.ts",
      [
        { start: 2, end: 8 },
        { start: 27, end: 33 },
      ],
    ],
    ["new.ts", [{ start: 1, end: 2 }]],
  ]);
});

test("deleted files have no lines, renamed ones have those of their new name, odd names are read as git quotes them", async () => {
  const odd = 'dir/quo"te\tü.txt';
  const found = await diffOf(
    { "gone.ts": "x\n", "old.ts": lines.join("\n") },
    { "moved.ts": edited.join("\n"), [odd]: "quite different\n" },
  );
  expect([...found.keys()].toSorted()).toEqual([odd, "moved.ts"].toSorted());
});

test("a line of content that looks like a header is content", async () => {
  const found = await diffOf({ "a.sql": "-- old\n-- b\n" }, { "a.sql": "-- new\n++ b/fake.ts\n" });
  expect([...found]).toEqual([["a.sql", [{ start: 1, end: 2 }]]]);
});

test.each([
  ["in a hunk", 5, 6, { kind: "inline", startLine: 5, line: 6, isExact: true }],
  ["over a hunk's edge", 7, 12, { kind: "inline", startLine: 7, line: 8, isExact: false }],
  ["over two hunks", 5, 30, { kind: "inline", startLine: 5, line: 8, isExact: false }],
  ["between hunks", 12, 20, { kind: "summary", why: "lines are not in the diff" }],
])("a finding %s", (_name, startLine, endLine, expected) => {
  const diff = new Map([
    [
      "a.ts",
      [
        { start: 2, end: 8 },
        { start: 27, end: 33 },
      ],
    ],
  ]);
  expect(anchorFinding({ path: "a.ts", startLine, endLine }, diff)).toEqual(expected);
});

test("the worst findings come first, the rest are counted, and a moved one loses its suggestion", () => {
  const finding = (over: Partial<Finding>): Finding => ({
    ...{ path: "a.ts", startLine: 5, endLine: 5, severity: "P2", title: "t", body: "b", suggestion: "s" },
    ...over,
  });
  const diff = new Map([["a.ts", [{ start: 2, end: 8 }]]]);
  const many = Array.from({ length: 9 }, () => finding({ severity: "P3" }));
  const selection = selectFindings(
    [...many, finding({ path: "b.ts", severity: "P0" }), finding({ startLine: 7, endLine: 9, severity: "P1" })],
    diff,
  );
  expect(selection.elsewhere).toEqual([finding({ path: "b.ts", severity: "P0" })]);
  expect(selection.inline[0]).toEqual(finding({ startLine: 7, endLine: 8, severity: "P1", suggestion: null }));
  expect(selection.inline).toHaveLength(9);
  expect(selection.leftOut).toBe(1);
});
