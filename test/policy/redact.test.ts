import { expect, test } from "vitest";
import { publicText, publicTitle, redactSecrets } from "../../src/policy/redact.ts";

const say = (markdown: string): string => publicText(markdown, { secrets: [] });

const UNCHANGED = [
  "Plain text, *with* **marks**, a [link](https://example.com/a) and `code <b> @bob`.",
  "<details><summary>Output of <code>npm test</code></summary>\n\n```\n<b>@bob</b>\n```\n\n</details>",
  "| check | before | after |\n| --- | --- | --- |\n| `npm test` | exit 1 | **exit 0** |",
  "| `a \\| b` | x |\n| --- | --- |",
  "> [!WARNING]\n> The run reached its limit.",
  "- [x] done\n- [ ] **next**",
  "<sub>model · 3 turns · $0.10</sub>",
  "```suggestion\nconst a = `x`; // <T>, @bob, fixes #1, ![a](https://x.example/y)\n```",
  "````md\n```\n@bob\n```\n````",
  "1. one\n\n   ```sh\n   npm test\n   ```\n2. two",
  "![chart](https://github.com/o/r/raw/main/a.png)",
  "![](https://user-images.githubusercontent.com/1/a.png)",
  "mail bob@example.com, see https://example.com/a_b?c=d#e (and <https://example.com>)",
  "Closes #12",
  "a < b, 2 > 1, x<3",
  "path src/a.ts, and/or",
];

test.each(UNCHANGED)("%j is published as it is", (markdown) => expect(say(markdown)).toBe(markdown));

const CHANGED: readonly [markdown: string, text: string][] = [
  ["hi @bob and @org/team.", "hi `@bob` and `@org/team`."],
  ["\\@bob &#64;bob &commat;bob", "`@bob` `@bob` `@bob`"],
  ["`x`@bob`y`", "`x` `@bob` `y`"],
  ["a ` b @bob c", "a &#96; b `@bob` c"],
  ["`a\n@bob\nb`", "&#96;a\n`@bob`\nb&#96;"],
  ["<p>`@bob`</p>", "<p>&#96;<code>@bob</code>&#96;</p>"],
  ["![a](https://evil.example/?q=1)", "[a](https://evil.example/?q=1)"],
  ["![](https://evil.example/?q=1)", "[image](https://evil.example/?q=1)"],
  ["!![a](https://evil.example/x)", "&#33;[a](https://evil.example/x)"],
  ["![a][b]\n\n[b]: https://evil.example", "[a][b]\n\n[b]: https://evil.example"],
  ["![a](https://camo.githubusercontent.com/x)", "[a](https://camo.githubusercontent.com/x)"],
  ["![a](https://github.com.evil.example/x)", "[a](https://github.com.evil.example/x)"],
  ["!<!-- -->[a](https://evil.example)", "! [a](https://evil.example)"],
  ["<img src=https://evil.example/x>", "&lt;img src=https://evil.example/x>"],
  ["<details\nopen title='x'>a</details>", "<details open>a</details>"],
  ["<b onclick=x>a</b> Array<string>", "<b>a</b> Array&lt;string>"],
  ["<!-- hidden -->shown", " shown"],
  ["<!-- pullwright:1:progress -->", " "],
  ["<!-- never closed", "&lt;!-- never closed"],
  ["/approve\n  /lgtm now", "`/approve`\n  `/lgtm` now"],
  ["a\u202eb\u200bc", "abc"],
  ["text\n```\ncode", "text\n\n```\ncode\n```"],
  ["<p>\n```\n<img src=x>\n```", "<p>\n\n```\n<img src=x>\n```"],
  ["- a\n  ```\n<img src=x>\n      ```\n@bob", "- a\n\n  ```\n  <img src=x>\n  ```\n`@bob`"],
  ["> ```\n> <img src=x>\n> ```", "> &#96;&#96;&#96;\n> &lt;img src=x>\n> &#96;&#96;&#96;"],
  ["| `a | <img src=x>` |\n|-|-|", "| &#96;a | &lt;img src=x>&#96; |\n|-|-|"],
  ["https://a.example/<!x`<img src=x>`", "https://a.example/ &lt;!x`<img src=x>`"],
  ["see https://a.example/@bob", "see https://a.example/%40bob"],
];

test.each(CHANGED)("%j is published as %j", (markdown, text) => expect(say(markdown)).toBe(text));

test("the asker may be mentioned, nobody else", () => {
  expect(publicText("@Ada @adam @ada/team", { secrets: [], mention: "ada" })).toBe("@Ada `@adam` `@ada/team`");
});

test("a closing keyword closes only what it may", () => {
  const text = "Fixes #12, closes #13, resolves o/r#12, fix: https://github.com/o/r/issues/12 and fixes GH-12; see #13";
  expect(publicText(text, { secrets: [], closes: 12 })).toBe(
    "Fixes #12, closes `#13`, resolves `o/r#12`, fix: `https://github.com/o/r/issues/12` and fixes `GH-12`; see #13",
  );
  expect(publicText("Fixes #12 and\nfixes **#12**", { secrets: [], closes: null })).toBe(
    "Fixes `#12` and\nfixes **`#12`**",
  );
});

const b = "b".repeat(40);
const TOKENS = [
  `ghp_${b}`,
  `ghs_${b}`,
  `gho_${b}`,
  `ghs_12345_eyJhbGciOi${b}.${b}.${b}`,
  `github_pat_11ABC_${b}`,
  `sk-ant-api03-${b}`,
  `sk-proj-${b}`,
  `sk-${b}1`,
  "AKIAIOSFODNN7EXAMPLE",
  "xoxb-123456789012-abcdefghij",
  `npm_${b.slice(4)}`,
  `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.${b}`,
  "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabcd\n-----END RSA PRIVATE KEY-----",
  "-----BEGIN PRIVATE KEY-----\nMIIE, cut off",
];

test.each(TOKENS)("%s is recognised, in code too", (token) => {
  expect(redactSecrets(`a ${token}`, [])).toBe("a [redacted]");
  expect(say(`\`\`\`\n${token}\n\`\`\``)).not.toContain(token.slice(0, 25));
});

test("words that only look like tokens stay", () => {
  const text = "task-force-and-more-words-here sk-learn-contrib-and-other-words AKIA npm_config_cache ghp_x sk-1";
  expect(redactSecrets(text, [])).toBe(text);
});

test("our own secrets are taken out wherever they stand, the longest first", () => {
  const text = publicText("key=hunter22 `hunter22` hun\u200bter22-long $& abc", {
    secrets: ["hunter22", "hunter22-long", "abc"],
  });
  expect(text).toBe("key=[redacted] `[redacted]` [redacted] $& abc");
});

test("what is too long is cut and says so, and a cut in code leaves no text behind it", () => {
  for (const body of [
    "x".repeat(70_000),
    "`" + "<img src=x> ".repeat(6000) + "`",
    "@a ".repeat(30_000),
    "😀".repeat(40_000),
  ]) {
    const text = say(body);
    expect(text.length).toBeLessThanOrEqual(65_536 - 512);
    expect(text).toMatch(/\n\n\*Cut here: the rest is longer than GitHub accepts\.\*$/);
    expect(text).not.toContain("<img");
    expect(text.isWellFormed()).toBe(true);
  }
  const fenced = say("```\n" + "x\n".repeat(40_000) + "```");
  expect(fenced.endsWith("x\n```\n\n*Cut here: the rest is longer than GitHub accepts.*")).toBe(true);
});

test("a title is one line of plain text", () => {
  const title = (text: string): string => publicTitle(text, { secrets: ["hunter22"] });
  expect(title("Fix `a` in <T>\n and @bob's hunter22 \u202e")).toBe("Fix `a` in <T> and `@bob`'s [redacted]");
  expect(title("x".repeat(300))).toBe(`${"x".repeat(255)}…`);
});

test("any text is published, within the limit, and quickly", () => {
  const parts = [
    "`",
    "```\n",
    "~~~",
    "<p ",
    "<!--",
    "-->",
    "![",
    "](",
    "@",
    "\\",
    "&#64;",
    "fixes ",
    "#1",
    "|",
    "\n-",
    "/a",
    "sk-",
    "eyJa.",
    "x@y.z",
    "https://",
    " ",
    "> ",
  ];
  for (const part of [...parts, "@a", "<!x", "\\@", "fixes   ", "-eyJaaaaaaaa", "a@", "<details ", "- ", "[^"]) {
    const startedAt = performance.now();
    expect(say(part.repeat(Math.ceil(80_000 / part.length))).length).toBeLessThanOrEqual(65_536);
    expect(performance.now() - startedAt, JSON.stringify(part)).toBeLessThan(4000);
  }
  let seed = 3;
  const next = (): number => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31);
  for (let round = 0; round < 500; round++) {
    const markdown = Array.from({ length: next() % 40 }, () => parts[next() % parts.length]).join("");
    expect(() => say(markdown)).not.toThrow();
  }
});
