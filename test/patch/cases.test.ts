import { readdirSync, readFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { pathsOf, planPatch } from "../../src/patch/apply.ts";
import { parsePatch } from "../../src/patch/parse.ts";
import { PatchError } from "../../src/patch/patch.ts";

const ROOT = "test/patches";

test.each(readdirSync(ROOT).toSorted())("%s", async (name) => {
  const dir = join(ROOT, name);
  const before = readTree(join(dir, "input"));
  const text = readFileSync(join(dir, "patch.txt"), "utf8");
  if (existsSync(join(dir, "expected"))) return expect(apply(text, before)).toEqual(readTree(join(dir, "expected")));
  await expect(`${refusalOf(text, before)}\n`).toMatchFileSnapshot(join("../patches", name, "expected.md"));
});

function apply(text: string, before: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const patch = parsePatch(text);
  const after = new Map(before);
  for (const edit of planPatch(patch, new Map(pathsOf(patch).map((path) => [path, before.get(path) ?? null]))).edits) {
    if (edit.kind === "delete") after.delete(edit.path);
    else after.set(edit.path, edit.text);
  }
  return after;
}

function refusalOf(text: string, before: ReadonlyMap<string, string>): string {
  try {
    apply(text, before);
  } catch (error) {
    if (error instanceof PatchError) return error.message;
    throw error;
  }
  throw new Error("the patch was applied");
}

function readTree(dir: string): ReadonlyMap<string, string> {
  const entries = readdirSync(dir, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name !== ".keep");
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).toSorted();
  return new Map(paths.map((path) => [path.slice(dir.length + 1), readFileSync(path, "utf8")]));
}
