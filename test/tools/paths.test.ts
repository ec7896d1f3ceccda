import { expect, test } from "vitest";
import { checkPath, isGitFolder } from "../../src/tools/paths.ts";

test.each([
  ["a/b.ts", "a/b.ts"],
  ["./a//b/", "a/b"],
  ["/workspace/a", "a"],
  ["/workspace", "."],
  [".", "."],
  ["/workspace/../etc", "../etc"],
  ["/workspacex/a", "/workspacex/a"],
  ["-n", "-n"],
  [".github/x", ".github/x"],
  [".gitignore", ".gitignore"],
  ["a.git/x", "a.git/x"],
])("the path %s is %s", (typed, path) => {
  expect(checkPath(typed)).toEqual({ kind: "path", path });
});

test.each([
  ".git",
  ".GIT",
  ".Git.",
  ".git ",
  ".git. .",
  ".g\u200dit",
  "\ufeff.git",
  ".git\u00ad",
  "．ｇｉｔ",
  "git~1",
  ".git::$INDEX_ALLOCATION",
])("%j is .git to some file system", (name) => {
  expect(isGitFolder(name)).toBe(true);
});
