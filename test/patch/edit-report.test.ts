import { expect, test } from "vitest";
import type { FileEditReport } from "../../src/journal.ts";
import { describeEdit } from "../../src/patch/edit-report.ts";
import { mulberry32 } from "./random.ts";

test("an edit is told as hunks with context", () => {
  const lines = Array.from({ length: 30 }, (_, i) => `${i + 1}`);
  const after = lines.flatMap((line) =>
    line === "5" ? ["five"] : line === "20" ? [] : line === "25" ? ["25", "x"] : [line],
  );
  const report = describeEdit({ path: "a", before: `${lines.join("\n")}\n`, after: `${after.join("\n")}\n` });
  expect(report).toEqual({
    path: "a",
    isCut: false,
    hunks: [
      {
        oldStart: 2,
        oldLines: 7,
        newStart: 2,
        newLines: 7,
        lines: [" 2", " 3", " 4", "-5", "+five", " 6", " 7", " 8"],
      },
      {
        ...{ oldStart: 17, oldLines: 12, newStart: 17, newLines: 12 },
        lines: [" 17", " 18", " 19", "-20", " 21", " 22", " 23", " 24", " 25", "+x", " 26", " 27", " 28"],
      },
    ],
  });
});

test("a new file and a deleted one have an empty side", () => {
  const hunk = { oldStart: 0, oldLines: 0, newStart: 1, newLines: 1, lines: ["+a"] };
  expect(describeEdit({ path: "f", before: null, after: "a\n" }).hunks).toEqual([hunk]);
  const gone = { oldStart: 1, oldLines: 1, newStart: 0, newLines: 0, lines: ["-a"] };
  expect(describeEdit({ path: "f", before: "a\n", after: null }).hunks).toEqual([gone]);
});

test("a report has a limit and says when it was cut", () => {
  const report = describeEdit({ path: "f", before: null, after: "x\n".repeat(100_000) });
  expect([report.hunks[0]?.lines.length, report.hunks[0]?.newLines, report.isCut]).toEqual([400, 100_000, true]);
});

test("the hunks of any two texts turn one into the other", () => {
  const random = mulberry32(7);
  for (let round = 0; round < 2000; round++) {
    const [before, after] = [0, 1].map(() =>
      Array.from({ length: random.below(12) }, () => "abcd"[random.below(4)] ?? ""),
    );
    const text = (lines: readonly string[] = []) => lines.map((line) => `${line}\n`).join("");
    const report = describeEdit({ path: "f", before: text(before), after: text(after) });
    expect(applyReport(before ?? [], report)).toEqual(after);
  }
});

function applyReport(before: readonly string[], { hunks }: FileEditReport): readonly string[] {
  const result: string[] = [];
  let at = 0;
  for (const { oldStart, oldLines, newStart, newLines, lines } of hunks) {
    const from = oldLines === 0 ? oldStart : oldStart - 1;
    result.push(...before.slice(at, from));
    expect(result.length).toBe(newLines === 0 ? newStart : newStart - 1);
    expect(lines.filter((line) => !line.startsWith("+")).map((line) => line.slice(1))).toEqual(
      before.slice(from, from + oldLines),
    );
    result.push(...lines.filter((line) => !line.startsWith("-")).map((line) => line.slice(1)));
    at = from + oldLines;
  }
  return [...result, ...before.slice(at)];
}
