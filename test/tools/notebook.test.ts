import { describe, expect, test } from "vitest";
import { DRIVERS, openWorkbench } from "./workbench.ts";

const outputs = [{ output_type: "stream", name: "stdout", text: ["hi\n"] }];
const cells = [
  { cell_type: "markdown", id: "head", metadata: {}, source: ["# Title\n", "text"] },
  { cell_type: "code", execution_count: 1, id: "one", metadata: {}, outputs, source: ["print('hi')"] },
];
const text = `${JSON.stringify({ cells, metadata: {}, nbformat: 4, nbformat_minor: 5 }, null, 1)}\n`;

const EMPTY = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}';

describe.each(DRIVERS)("the notebook tool, in the %s sandbox", (driver) => {
  test("cells are shown with what they printed, all or one", async () => {
    await using bench = await openWorkbench({ driver, files: { "a.ipynb": text } });
    const view = (input: object) => bench.call("notebook", { command: "view", path: "a.ipynb", ...input });
    expect(await view({})).toBe("ok: [0] markdown head\n# Title\ntext\n\n[1] code one\nprint('hi')\n-> hi");
    expect(await view({ cell_id: "one" })).toBe("ok: [1] code one\nprint('hi')\n-> hi");
    expect(await view({ index: 2 })).toBe("error: There is no cell 2; there are 2, counted from 0.");
    expect(await view({ cell_id: "x" })).toContain('There is no cell with the id "x"');
  });

  test("a cell is replaced, inserted and deleted, once the notebook has been seen", async () => {
    await using bench = await openWorkbench({ driver, files: { "a.ipynb": text } });
    const call = (command: string, input: object) => bench.call("notebook", { command, path: "a.ipynb", ...input });
    const change = { cell_id: "one", source: "x = 1\nx" };
    expect(await call("replace", change)).toBe(
      "error: You have not read it yet, so nothing was changed. It now reads:\n[1] code one\nprint('hi')\n-> hi\nRepeat the call if it still fits.",
    );
    expect(await bench.read("a.ipynb")).toBe(text);
    expect(await call("replace", change)).toBe("ok: Replaced in a.ipynb:\n[1] code one\nx = 1\nx");
    expect(await call("insert", { cell_id: "head", source: "more", cell_type: "markdown" })).toMatch(
      /^ok: Inserted in a\.ipynb:\n\[1\] markdown [0-9a-f]{8}\nmore$/,
    );
    expect(await call("delete", { index: 0 })).toBe(
      "ok: Deleted cell 0 of a.ipynb; 2 are left, those behind it moved up.",
    );
    const after: unknown = JSON.parse(await bench.read("a.ipynb"));
    expect(after).toMatchObject({
      cells: [{ source: ["more"] }, { id: "one", outputs: [], execution_count: null, source: ["x = 1\n", "x"] }],
    });
    await bench.write("a.ipynb", text);
    expect(await call("delete", { index: 0 })).toMatch(/^error: It has changed since you read it/);
  });

  test("an edit is told as hunks of the file", async () => {
    await using bench = await openWorkbench({ driver, files: { "a.ipynb": text }, mustRead: false });
    const { results } = await bench.dispatch([
      ["notebook", { command: "replace", path: "./a.ipynb", index: 0, source: "# Other" }],
      ["notebook", { command: "view", path: "a.ipynb" }],
    ]);
    const [edit] = results[0]?.edits ?? [];
    expect(edit).toMatchObject({ path: "a.ipynb", isCut: false });
    expect(edit?.hunks.flatMap(({ lines }) => lines.filter((line) => !line.startsWith(" ")))).toEqual([
      '-    "# Title\\n",',
      '-    "text"',
      '+    "# Other"',
    ]);
    expect(results[1]?.edits).toEqual([]);
  });

  test("what is no notebook is refused, and so are calls that name no cell", async () => {
    await using bench = await openWorkbench({ driver, files: { "a.ipynb": "{}", "b.ipynb": "{" } });
    const call = (input: object) => bench.call("notebook", { command: "view", path: "a.ipynb", ...input });
    expect(await call({})).toMatch(/^error: It is no valid notebook: .* Nothing was changed\.$/);
    expect(await call({ path: "b.ipynb" })).toMatch(/^error: It is no valid JSON: /);
    expect(await call({ path: "c.ipynb" })).toBe('error: Cannot open "c.ipynb": there is no such file.');
    expect(await call({ command: "insert", path: "c.ipynb", source: "x" })).toContain("create it with {");
    const empty = { command: "create", path: "c.ipynb", file_text: EMPTY };
    expect(await bench.call("edit", empty)).toMatch(/^ok: /);
    expect(await call({ command: "insert", path: "c.ipynb", source: "x" })).toMatch(/^ok: Inserted in c\.ipynb/);
    expect(await call({ command: "replace" })).toMatch(/- source: is missing[\s\S]*- cell_id: is missing/);
  });
});
