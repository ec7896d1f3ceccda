import { readdirSync, readFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { pathsOf, planPatch, type FileEdit } from "../../src/patch/apply.ts";
import { parsePatch } from "../../src/patch/parse.ts";
import { PatchError } from "../../src/patch/patch.ts";
import { parseStrict } from "../../src/patch/strict-parse.ts";
import { runStrict, strictPathsOf } from "../../src/patch/strict.ts";

const ROOT = "test/patches";

const names = readdirSync(ROOT).toSorted();

test.each(names.filter((name) => !name.startsWith("strict-")))("%s", async (name) => {
  const dir = join(ROOT, name);
  const before = readTree(join(dir, "input"));
  const text = readFileSync(join(dir, "patch.txt"), "utf8");
  if (existsSync(join(dir, "expected"))) return expect(apply(text, before)).toEqual(readTree(join(dir, "expected")));
  await expect(`${refusalOf(text, before)}\n`).toMatchFileSnapshot(join("../patches", name, "expected.md"));
});

test.each(names.filter((name) => name.startsWith("strict-")))("%s", async (name) => {
  const dir = join(ROOT, name);
  const before = readTree(join(dir, "input"));
  const { message, after } = applyStrict(readFileSync(join(dir, "patch.txt"), "utf8"), before);
  expect(after).toEqual(existsSync(join(dir, "expected")) ? readTree(join(dir, "expected")) : before);
  await expect(`${message}\n`).toMatchFileSnapshot(join("../patches", name, "expected.md"));
});

function applyStrict(text: string, before: Tree): { readonly message: string; readonly after: Tree } {
  try {
    const hunks = parseStrict(text);
    const files = new Map(strictPathsOf(hunks).map((path) => [path, before.get(path) ?? null]));
    const { edits, message } = runStrict(hunks, files);
    return { message, after: perform(edits, before) };
  } catch (error) {
    if (error instanceof PatchError) return { message: error.message, after: before };
    throw error;
  }
}

type Tree = ReadonlyMap<string, string>;

function apply(text: string, before: Tree): Tree {
  const patch = parsePatch(text);
  return perform(
    planPatch(patch, new Map(pathsOf(patch).map((path) => [path, before.get(path) ?? null]))).edits,
    before,
  );
}

function perform(edits: readonly FileEdit[], before: Tree): Tree {
  const after = new Map(before);
  for (const edit of edits) {
    if (edit.kind === "delete") after.delete(edit.path);
    else after.set(edit.path, edit.text);
  }
  return after;
}

function refusalOf(text: string, before: Tree): string {
  try {
    apply(text, before);
  } catch (error) {
    if (error instanceof PatchError) return error.message;
    throw error;
  }
  throw new Error("the patch was applied");
}

function readTree(dir: string): Tree {
  const entries = readdirSync(dir, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name !== ".keep");
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).toSorted();
  return new Map(paths.map((path) => [path.slice(dir.length + 1), readFileSync(path, "utf8")]));
}
