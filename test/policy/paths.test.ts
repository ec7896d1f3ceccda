import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { branchName, isSafeRef } from "../../src/policy/paths.ts";

const NAMES: readonly [title: string, branch: string][] = [
  ["Fix the login", "agent/12-fix-the-login"],
  ["Länge über naïve café", "agent/12-lange-uber-naive-cafe"],
  ["  --Weird__ title!! ", "agent/12-weird-title"],
  ["修复登录", "agent/12"],
  ["", "agent/12"],
  ["$(rm -rf /) `x` ; ..@{1}.lock", "agent/12-rm-rf-x-1-lock"],
  [
    "A title that goes on and on until nobody wants to read it any more",
    "agent/12-a-title-that-goes-on-and-on-until-nobody-wants-to",
  ],
  ["x".repeat(100), `agent/12-${"x".repeat(51)}`],
  ["ﬁx\u2003it\u202e", "agent/12-fix-it"],
];

test.each(NAMES)("%j becomes %s", (title, branch) => {
  expect(branchName(12, title)).toBe(branch);
  expect(branch.length).toBeLessThanOrEqual(60);
  expect(isSafeRef(branch)).toBe(true);
  execFileSync("git", ["check-ref-format", "--branch", branch]);
});

const SAFE = ["main", "feature/x", "dependabot/npm_and_yarn/@types/node-24.1.0", "fix-#12", "a+b=c,d", "v1.0", "_x"];
const UNSAFE = [
  "",
  "-x",
  "--upload-pack=x",
  "a/-b",
  "a..b",
  "a@{1}",
  "@",
  ".a",
  "a/.b",
  "a.",
  "a.lock",
  "a.LOCK/b",
  "a//b",
  "/a",
  "a/",
  "a b",
  "a\u2003b",
  "a\nb",
  "a;b",
  "a$(b)",
  "a`b`",
  "a:b",
  "a~1",
  "a^",
  "a?",
  "a*",
  "a[",
  "a\\b",
  "ä",
  "HEAD",
  "x".repeat(245),
];

test.each(SAFE)("%j may be handed to git", (name) => {
  expect(isSafeRef(name)).toBe(true);
  execFileSync("git", ["check-ref-format", "--branch", name]);
});

test.each(UNSAFE)("%j may not", (name) => expect(isSafeRef(name)).toBe(false));
