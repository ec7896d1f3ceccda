import { expect, test } from "vitest";
import { planPatch } from "../../src/patch/apply.ts";
import { patchOfOperation, type Operation } from "../../src/patch/operation.ts";
import { PatchError } from "../../src/patch/patch.ts";

const rows: readonly (readonly [name: string, operation: Operation, before: string | null, after: string | null])[] = [
  ["creates a file", { type: "create_file", path: "f", diff: "+a\n+\n+b\n" }, null, "a\n\nb\n"],
  [
    "creates a file with the endings of its diff",
    { type: "create_file", path: "f", diff: "+a\r\n+b\r" },
    null,
    "a\r\nb\r\n",
  ],
  [
    "creates a file whose last line has lost its ending",
    { type: "create_file", path: "f", diff: "+a\r\n+b" },
    null,
    "a\r\nb\r\n",
  ],
  [
    "reads a last line of spaces as context",
    { type: "update_file", path: "f", diff: "@@\n }\n+x\n   " },
    "}\n}\n  \n",
    "}\n}\nx\n  \n",
  ],
  [
    "ignores a chunk of blank context",
    { type: "update_file", path: "f", diff: "@@\n  \n@@\n-b\n+B\n" },
    "a\n\nb\n",
    "a\n\nB\n",
  ],
  [
    "quoted with CRLF keeps the file's endings",
    { type: "update_file", path: "f", diff: " a\r\n-b\r\n+B\r\n\\ No newline at end of file" },
    "a\nb",
    "a\nB",
  ],
  ["creates an empty file", { type: "create_file", path: "f", diff: "" }, null, ""],
  ["updates without any header", { type: "update_file", path: "f", diff: " a\n-b\n+B" }, "a\nb\nc\n", "a\nB\nc\n"],
  [
    "updates below a scope",
    { type: "update_file", path: "f", diff: "@@ two\n-x\n+y\n" },
    "one\nx\ntwo\nx\n",
    "one\nx\ntwo\ny\n",
  ],
  [
    "updates the end of a file",
    { type: "update_file", path: "f", diff: "@@\n-x\n+y\n*** End of File" },
    "x\nx\n",
    "x\ny\n",
  ],
  [
    "updates by line number",
    { type: "update_file", path: "f", diff: "--- a/f\n+++ b/f\n@@ -2 +2 @@\n-x\n+y\n" },
    "x\nx\n",
    "x\ny\n",
  ],
  [
    "keeps the file's endings",
    { type: "update_file", path: "f", diff: "@@\n-x\n+y\n+z\n" },
    "x\r\nw\r\n",
    "y\r\nz\r\nw\r\n",
  ],
  ["deletes a file", { type: "delete_file", path: "f" }, "x\n", null],
];

test.each(rows)("an operation %s", (_name, operation, before, after) => {
  const [edit] = planPatch(patchOfOperation(operation), new Map([["f", before]])).edits;
  expect(edit?.kind === "write" ? edit.text : null).toBe(after);
});

const refusals: readonly (readonly [name: string, operation: Operation])[] = [
  ["a new file with a line that is not added", { type: "create_file", path: "f", diff: "+a\nb\n" }],
  ["an update without lines", { type: "update_file", path: "f", diff: "\n" }],
  ["an update of lines that are not there", { type: "update_file", path: "f", diff: "-y\n+z\n" }],
  ["an update of two places", { type: "update_file", path: "f", diff: "-x\n+z\n" }],
];

test("refused operations say what to repair", async () => {
  const told = refusals.map(([name, operation]) => `## ${name}\n\n${refusalOf(operation)}\n`);
  await expect(told.join("\n")).toMatchFileSnapshot("operation-refusals.md");
});

function refusalOf(operation: Operation): string {
  try {
    planPatch(patchOfOperation(operation), new Map([["f", "x\nx\n"]]));
  } catch (error) {
    if (error instanceof PatchError) return error.message;
    throw error;
  }
  throw new Error("it was not refused");
}
