import { expect, test } from "vitest";
import { readTextCalls } from "../../src/model/compatible-text-calls.ts";
import { edit, search, shell } from "./transcripts.ts";

const typed = {
  ...search,
  name: "read",
  parameters: {
    type: "object",
    properties: { path: { type: "string" }, line: { type: "integer" }, paths: { type: ["array", "null"] } },
  },
};
const tools = new Map([shell, edit, search, typed].map((tool) => [tool.name, tool]));
const ls = { name: "shell", input: { command: "ls" } };
const find = { name: "search", input: { query: "a; } [b" } };

test.each<[string, string, ReturnType<typeof readTextCalls>]>([
  [
    "Hermes and Qwen 2.5",
    'Looking.\n<tool_call>\n{"name": "shell", "arguments": {"command": "ls"}}\n</tool_call>\n<tool_call>{"name":"search","arguments":{"query":"a; } [b"}}</tool_call>\n',
    { text: "Looking.", calls: [ls, find] },
  ],
  [
    "Qwen 3 Coder, values typed by the schema",
    'On it.\n<tool_call>\n<function=read>\n<parameter=path>\n a b\nc\n</parameter>\n<parameter=line>\n7\n</parameter>\n<parameter=paths>\n["x"]\n</parameter>\n</function>\n</tool_call>',
    { text: "On it.", calls: [{ name: "read", input: { path: " a b\nc", line: 7, paths: ["x"] } }] },
  ],
  ["Llama 3.1's own form", '<function=shell>{"command": "ls"}</function>', { text: "", calls: [ls] }],
  ["Mistral, a list", '[TOOL_CALLS][{"name": "shell", "arguments": {"command": "ls"}}]', { text: "", calls: [ls] }],
  [
    "Mistral, since 2025",
    'Now.[TOOL_CALLS]shell[ARGS]{"command": "ls"}[TOOL_CALLS]search[CALL_ID]abc123[ARGS]{"query": "a; } [b"}',
    { text: "Now.", calls: [ls, find] },
  ],
  [
    "Llama, two calls",
    '<|python_tag|>{"name": "shell", "parameters": {"command": "ls"}}; {"name": "search", "parameters": {"query": "a; } [b"}}<|eom_id|>',
    { text: "", calls: [ls, find] },
  ],
  [
    "Llama 4",
    '<|python_start|>{"name": "shell", "parameters": {"command": "ls"}}<|python_end|>',
    { text: "", calls: [ls] },
  ],
  [
    "a fenced block",
    'I will look.\n\n```json\n{"name": "shell", "arguments": {"command": "ls"}}\n```\n',
    { text: "I will look.", calls: [ls] },
  ],
  ["bare JSON", ' {"name": "shell", "arguments": "{\\"command\\": \\"ls\\"}"}\n', { text: "", calls: [ls] }],
])("calls in the text are read: %s", (_, said, reading) => {
  expect(readTextCalls(said, tools)).toEqual(reading);
});

test.each([
  ["an unknown tool", '<tool_call>{"name": "rm", "arguments": {"path": "/"}}</tool_call>'],
  ["half a call", '<tool_call>{"name": "shell", "arguments": {"comm'],
  ["a call without its end", '<tool_call>{"name": "shell", "arguments": {"command": "ls"}}'],
  ["spoiled JSON", '```json\n{"name": "shell", "arguments": {command: "ls"}}\n```'],
  [
    "one good call and one bad",
    '<tool_call>{"name":"shell","arguments":{"command":"ls"}}</tool_call><tool_call>{</tool_call>',
  ],
  [
    "words after the call: it was quoted",
    '```json\n{"name": "shell", "arguments": {"command": "ls"}}\n```\nis what a call looks like.',
  ],
  ["a name without arguments: some package's own JSON", '```json\n{"name": "shell", "version": "1.0.0"}\n```'],
  ["an answer in JSON", '{"findings": []}'],
  ["a value that is not what its schema says", "<function=read><parameter=line>seven</parameter></function>"],
  ["plain words", "Use <tool_call> for that."],
  ["nothing", ""],
])("what is no whole call of a known tool stays text: %s", (_, said) => {
  expect(readTextCalls(said, tools)).toEqual({ text: said, calls: [] });
});

test("without tools nothing is a call", () => {
  const said = '{"name": "shell", "arguments": {"command": "ls"}}';
  expect(readTextCalls(said, new Map())).toEqual({ text: said, calls: [] });
});

test("text of any kind is read without an error, and never lost", () => {
  const bits = [
    "<tool_call>",
    "</tool_call>",
    "<function=shell>",
    "</function>",
    "<parameter=command>",
    "</parameter>",
  ];
  const more = [
    "[TOOL_CALLS]",
    "[ARGS]",
    "<|python_tag|>",
    "```json\n",
    "\n```",
    '{"name":"shell","arguments":{"command":"ls"}}',
    "{",
    "}",
    "[",
    "]",
    ";",
    " x ",
  ];
  const all = [...bits, ...more];
  // A linear congruential generator: the same texts each time.
  let state = 7;
  const next = (below: number) => (state = (state * 1_103_515_245 + 12_345) % 2_147_483_648) % below;
  for (let round = 0; round < 2_000; round += 1) {
    const said = Array.from({ length: 1 + next(9) }, () => all[next(all.length)]).join("");
    const { text, calls } = readTextCalls(said, tools);
    if (calls.length === 0) expect(text).toBe(said);
    else expect(said.startsWith(text)).toBe(true);
  }
});
