import { expect, test } from "vitest";
import { readCommand } from "../../src/trigger/read-command.ts";

const COMMANDS: readonly [body: string, verb: string, text: string][] = [
  ["/agent", "", ""],
  ["/agent fix", "fix", ""],
  ["/agent fix src/ the tests", "fix", "src/ the tests"],
  ["/agent  FIX: now", "fix", "now"],
  ["/Agent review", "review", ""],
  ["   /agent fix", "fix", ""],
  ["Hello there.\n/agent fix\nand this too", "fix", "and this too"],
  ["/agent fix\n\n```\nlog line\n```", "fix", "```\nlog line\n```"],
  ["/agent\nplease", "", "please"],
  ["/agent\r\n", "", ""],
  ["@pullwright fix it", "fix", "it"],
  ["@PullWright, review", "review", ""],
  ["@pullwright", "", ""],
  ["/agent first\n/agent second", "first", "/agent second"],
  ["/agent frobnicate x", "frobnicate", "x"],
  ["> quoted\n\n/agent fix", "fix", ""],
  ["> quoted\n/agent fix", "fix", ""],
  ["> ```\n/agent fix", "fix", ""],
  ["```\n/agent no\n```\n/agent fix", "fix", ""],
  ["~~~\n```\n~~~\n/agent fix", "fix", ""],
  ["- ```js\n  /agent no\n  ```\n/agent fix", "fix", ""],
  ["<!-- /agent no -->\n/agent fix", "fix", ""],
  ["<!--> shown\n/agent fix", "fix", ""],
  ["use `<!--` here\n\n/agent fix", "fix", ""],
  ["a lone ` tick\n\n/agent fix", "fix", ""],
  ["a lone ` tick\r\n\r\n/agent fix `", "fix", "`"],
  ["a `` b ` c\n\n/agent fix `x`", "fix", "`x`"],
];

test.each(COMMANDS)("%j calls us", (body, verb, text) => {
  expect(readCommand(body, "pullwright")).toMatchObject({ verb, text });
});

const NOT_COMMANDS: readonly string[] = [
  "",
  "please /agent fix",
  "/agents fix",
  "/agent-foo",
  "/agent/foo",
  "https://example.com/agent fix",
  "see\n[x](/agent fix)",
  "//agent fix",
  "@pullwright-two fix",
  "me@pullwright fix",
  "@pullwright's fix",
  "> /agent fix",
  "  > /agent fix",
  "> > /agent fix",
  "    /agent fix",
  "\t/agent fix",
  "`/agent fix`",
  "`a\n/agent fix\nb`",
  "```\n/agent fix\n```",
  "```\n/agent fix",
  "````\n```\n/agent fix\n````",
  "~~~sh\n/agent fix\n~~~",
  "1. ```\n   /agent fix\n   ```",
  "<!--\n/agent fix\n-->",
  "<!--\n/agent fix",
  "<pre>\n/agent fix\n</pre>",
  "- /agent fix",
  "**/agent fix**",
];

test.each(NOT_COMMANDS)("%j says nothing to us", (body) => {
  expect(readCommand(body, "pullwright")).toBeNull();
});

test("any text is read, and quickly", () => {
  const parts = ["/agent fix", "\n", "`", "```", "~~~", "<!--", "-->", "> ", "    ", "<pre>", "x", "@pullwright "];
  let seed = 42;
  const next = (): number => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31);
  for (let round = 0; round < 500; round++) {
    const body = Array.from({ length: next() % 40 }, () => parts[next() % parts.length]).join("");
    expect(() => readCommand(body, "pullwright")).not.toThrow();
  }
  const startedAt = performance.now();
  readCommand("`".repeat(30_000) + "\n<!--" + "a ``b ```c\n".repeat(4000), "pullwright");
  readCommand("<!-".repeat(20_000) + "<pre>".repeat(10_000), "pullwright");
  expect(performance.now() - startedAt).toBeLessThan(2000);
});
