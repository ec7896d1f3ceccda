import { expect, test } from "vitest";
import { editNotebook, readNotebook, type CellEdit } from "../../src/patch/notebook.ts";

const code = (source: readonly string[], over = {}) => ({
  ...{ cell_type: "code", execution_count: 3, id: "c1", metadata: {}, outputs: [{ output_type: "stream", text: "x" }] },
  ...{ source, ...over },
});
const prose = { cell_type: "markdown", id: "m1", metadata: { odd: 1 }, source: ["# A\n", "b"] };
const notebook = (cells: readonly unknown[], minor = 5) => ({
  ...{ cells, metadata: { über: [], kept: {} }, nbformat: 4, nbformat_minor: minor },
});
/** As nbformat writes: one space, a newline at the end. */
const write = (value: unknown) => `${JSON.stringify(value, null, 1)}\n`;
const edit = (text: string, change: CellEdit) => editNotebook(readNotebook(text), change);

test("a replaced code cell has its source in lines and no outputs", () => {
  const text = write(notebook([prose, code(["a\n", "b"])]));
  const cleared = code(["x = 1\n", "y"], { execution_count: null, outputs: [] });
  expect(edit(text, { kind: "replace", index: 1, source: "x = 1\ny", type: null })).toBe(
    write(notebook([prose, cleared])),
  );
  expect(edit(text, { kind: "replace", index: 0, source: "", type: null })).toBe(
    write(notebook([{ ...prose, source: [] }, code(["a\n", "b"])])),
  );
});

test("a cell that becomes another type has the fields of that type", () => {
  const text = write(notebook([{ ...prose, attachments: {} }, code(["a"])]));
  expect(edit(text, { kind: "replace", index: 0, source: "x", type: "code" })).toBe(
    write(notebook([code(["x"], { execution_count: null, id: "m1", metadata: { odd: 1 }, outputs: [] }), code(["a"])])),
  );
  expect(edit(text, { kind: "replace", index: 1, source: "x", type: "markdown" })).toBe(
    write(
      notebook([
        { ...prose, attachments: {} },
        { cell_type: "markdown", id: "c1", metadata: {}, source: ["x"] },
      ]),
    ),
  );
});

test("cells are inserted and deleted at every place", () => {
  const fresh = { cell_type: "markdown", id: "n", metadata: {}, source: ["x"] };
  const insert = (index: number) => ({ kind: "insert", index, source: "x", type: "markdown", newId: "n" }) as const;
  const [a, b] = [code(["a"]), code(["b"], { id: "c2" })];
  const text = write(notebook([a, b]));
  expect(edit(text, insert(0))).toBe(write(notebook([fresh, a, b])));
  expect(edit(text, insert(1))).toBe(write(notebook([a, fresh, b])));
  expect(edit(text, insert(2))).toBe(write(notebook([a, b, fresh])));
  expect(edit(write(notebook([])), insert(0))).toBe(write(notebook([fresh])));
  expect(edit(text, { kind: "delete", index: 0 })).toBe(write(notebook([b])));
  expect(edit(text, { kind: "delete", index: 1 })).toBe(write(notebook([a])));
  expect(edit(write(notebook([a])), { kind: "delete", index: 0 })).toBe(write(notebook([])));
});

test("ids are given where the format has them, and never twice", () => {
  const insert = { kind: "insert", index: 0, source: "", type: "code", newId: "c1" } as const;
  expect(readNotebook(edit(write(notebook([code([])])), insert)).cells.map(({ id }) => id)).toEqual(["c1-2", "c1"]);
  expect(edit(write(notebook([], 4)), insert)).toBe(
    write(notebook([{ cell_type: "code", execution_count: null, metadata: {}, outputs: [], source: [] }], 4)),
  );
});

test("every byte outside of the cell stays: numbers, escapes, endings, indentation", () => {
  const head = '\uFEFF{\r\n\t"metadata": {"big": 12345678901234567890, "one": 1.0, "e": "\\u00e9 \\" ] }"},\r\n';
  const tail = '\r\n\t],\r\n\t"nbformat": 4, "nbformat_minor": 4}';
  const cell = (source: string) => `{"source": ${source}, "cell_type": "raw", "metadata": {"x": 1.50}}`;
  expect(
    edit(`${head}\t"cells": [\r\n\t\t${cell('"a"')}${tail}`, { kind: "replace", index: 0, source: "b", type: null }),
  ).toBe(`${head}\t"cells": [\r\n\t\t${cell('[\r\n\t\t\t\t"b"\r\n\t\t\t]')}${tail}`);
  const compact = JSON.stringify(notebook([code(["a"]), prose]));
  const changed = edit(compact, { kind: "replace", index: 0, source: "z\n", type: null });
  expect(changed).toBe(JSON.stringify(notebook([code(["z\n"], { execution_count: null, outputs: [] }), prose])));
});

test.each([
  ["{", /^It is no valid JSON: /],
  ["[]", /^It is no valid notebook: /],
  ['{"nbformat": 4, "nbformat_minor": 5, "cells": [{"cell_type": "x"}]}', /^It is no valid notebook: cells\.0/],
  ['{"nbformat": 3, "nbformat_minor": 0, "cells": []}', /^It has nbformat 3; only 4/],
])("%s is refused", (text, message) => {
  expect(() => readNotebook(text)).toThrow(message);
});
