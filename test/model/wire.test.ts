import { expect, test } from "vitest";
import type { ToolSpec } from "../../src/model/model.ts";
import { isStrictSchema } from "../../src/model/openai-strict.ts";
import { objectInput, readObject, readRetryAfterMs, safeWord, textInput } from "../../src/model/wire.ts";

const patchTool: ToolSpec = {
  name: "apply_patch",
  description: "Applies a patch.",
  parameters: { type: "object", properties: { patch: { type: "string" } }, required: ["patch"] },
  native: "apply-patch",
};

test("free text and object inputs turn into each other through the tool's one required property", () => {
  const text = "*** Begin Patch\n*** End Patch";
  expect(objectInput(text, patchTool)).toEqual({ patch: text });
  expect(textInput({ patch: text }, patchTool)).toBe(text);
  expect(textInput(objectInput(text, undefined), undefined)).toBe(text);
  expect(textInput({ other: 1 }, patchTool)).toBe('{"other":1}');
});

test.each([
  ['{"a":1}', { a: 1 }],
  ['{"a":', null],
  ["[1]", null],
  ['"text"', null],
  ["", null],
])("only a JSON object is an input: %s", (text, expected) => {
  expect(readObject(text)).toEqual(expected);
});

test("names and ids are cut to what both vendors take", () => {
  expect(safeWord("functions.shell:0")).toBe("functions_shell_0");
  expect(safeWord("x".repeat(90))).toHaveLength(64);
});

test.each<[Record<string, string>, number | null]>([
  [{ "retry-after": "2" }, 2_000],
  [{ "retry-after": "2", "retry-after-ms": "150.5" }, 151],
  [{ "retry-after": "Wed, 21 Oct 2026 07:28:00 GMT" }, null],
  [{ "retry-after": "Wed, 21 Oct 2026 07:28:09 GMT", date: "Wed, 21 Oct 2026 07:28:00 GMT" }, 9_000],
  [{ "retry-after": "Wed, 21 Oct 2026 07:28:00 GMT", date: "Wed, 21 Oct 2026 07:29:00 GMT" }, null],
  [{ "retry-after": "soon", date: "Wed, 21 Oct 2026 07:29:00 GMT" }, null],
  [{}, null],
])("the vendor's wish is read from %j", (headers, expected) => {
  expect(readRetryAfterMs(new Headers(headers))).toBe(expected);
});

const text = { type: "string" };
const closed = (properties: Record<string, unknown>, required = Object.keys(properties)) => ({
  type: "object",
  properties,
  required,
  additionalProperties: false,
});

test.each<[string, Record<string, unknown>, boolean]>([
  ["a closed object with everything required", closed({ path: { ...text, description: "where" } }), true],
  ["a closed object inside an array", closed({ steps: { type: "array", items: closed({ step: text }) } }), true],
  ["an optional property", closed({ path: text, line: text }, ["path"]), false],
  ["an open object", { type: "object", properties: { path: text }, required: ["path"] }, false],
  ["an open object inside", closed({ inner: { type: "object" } }), false],
  ["a keyword strict mode may not know", closed({ path: { ...text, pattern: "^a" } }), false],
  ["no object", text, false],
])("a strict schema: %s", (_, schema, expected) => {
  expect(isStrictSchema(schema)).toBe(expected);
});
