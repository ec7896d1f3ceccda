import { expect, test } from "vitest";
import type { FileEditReport } from "../../src/journal.ts";
import { boundEdits, EDITED_FILES_MAX, EDITS_BYTES_MAX } from "../../src/tools/bound-edits.ts";

const place = { oldStart: 1, oldLines: 1, newStart: 1, newLines: 1 };
const edit = (path: string, line: string): FileEditReport => ({
  path,
  hunks: [{ ...place, lines: [`-${line}`, `+${line}!`] }],
  isCut: false,
});

test("edits that fit are told as they are", () => {
  const edits = [edit("a", "one"), edit("b", "two")];
  expect(boundEdits(edits)).toEqual(edits);
});

test("past the bound the lines go first, then the places, and never the names", () => {
  const long = "é".repeat(EDITS_BYTES_MAX / 8);
  const many = Array.from({ length: 2000 }, (_, i) => edit(`f${i}`, long));
  const bounded = boundEdits(many);
  expect(bounded.map(({ path }) => path)).toEqual(many.map(({ path }) => path));
  expect(bounded.slice(0, 2)).toEqual([many[0], { path: "f1", hunks: [{ ...place, lines: [] }], isCut: true }]);
  expect(bounded.at(-1)).toEqual({ path: "f1999", hunks: [], isCut: true });
  expect(Buffer.byteLength(JSON.stringify(bounded.flatMap(({ hunks }) => hunks)))).toBeLessThan(EDITS_BYTES_MAX * 1.02);
  expect(boundEdits([...many, edit("last", "x")])).toHaveLength(EDITED_FILES_MAX);
});
