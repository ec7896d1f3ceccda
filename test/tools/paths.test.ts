import { expect, test } from "vitest";
import { checkPath, isGitFolder } from "../../src/tools/paths.ts";

/** All that git's utf8.c (next_hfs_char) skips. */
const HFS_IGNORED = [
  ...["\u200c", "\u200d", "\u200e", "\u200f", "\u202a", "\u202b", "\u202c", "\u202d", "\u202e"],
  ...["\u206a", "\u206b", "\u206c", "\u206d", "\u206e", "\u206f", "\ufeff"],
];

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
  ["a\\b", "a\\b"],
  ["git~10/x", "git~10/x"],
  [".git-blame-ignore-revs", ".git-blame-ignore-revs"],
  [".gıthub", ".gıthub"],
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
  "GIT~1:x:$DATA",
  "git~1. .",
  ".git\\config",
  "a\\.GIT \\config",
  "a\\git~1",
  ".git\uff3cconfig",
  ".g\u0131t",
  ...HFS_IGNORED.flatMap((one) => [`${one}.git`, `.g${one}it`, `.git${one}`]),
])("%j is .git to some file system", (name) => {
  expect(isGitFolder(name)).toBe(true);
});
