/** What every editing tool must leave as it is: permissions, links, and what lies beside the change. */
import { lstat, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openWorkbench } from "./workbench.ts";

const cells = [{ cell_type: "code", execution_count: null, id: "a", metadata: {}, outputs: [], source: ["two"] }];
const notebook = `${JSON.stringify({ cells, metadata: {}, nbformat: 4, nbformat_minor: 5 }, null, 1)}\n`;

const patch = (path: string) => `*** Begin Patch\n*** Update File: ${path}\n@@\n-two\n+2\n*** End Patch`;
const unified = (path: string) => `--- a/${path}\n+++ b/${path}\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n`;
const operation = (path: string) => ({ operation: { type: "update_file", path, diff: "@@\n-two\n+2" } });

type Way = readonly [name: string, editing: "patch" | "replace", tool: string, input: (path: string) => unknown];
const ways: readonly Way[] = [
  ["str_replace", "replace", "edit", (path) => ({ command: "str_replace", path, old_str: "two", new_str: "2" })],
  ["insert", "replace", "edit", (path) => ({ command: "insert", path, insert_line: 1, insert_text: "2" })],
  ["create", "replace", "edit", (path) => ({ command: "create", path, file_text: "2\n" })],
  ["apply_patch", "patch", "apply_patch", patch],
  ["apply_patch with a unified diff", "patch", "apply_patch", unified],
  ["a native operation", "patch", "apply_patch", operation],
  ["a patch in the shell", "replace", "shell", (path) => ({ command: patch(path) })],
];

test.each(ways)(
  "%s keeps permissions, and writes through a link that stays one",
  async (_name, editing, tool, input) => {
    await using bench = await openWorkbench({ files: { "bin/run": "one\ntwo\n" }, editing, mustRead: false });
    await bench.chmod("bin/run", 0o755);
    await bench.link("bin/run", "link");
    await bench.link("bin", "folder");
    for (const path of ["bin/run", "link", "folder/run"]) {
      await bench.write("bin/run", "one\ntwo\n");
      expect(await bench.call(tool, input(path)), path).toMatch(/^ok: /);
      expect(await bench.read("bin/run"), path).toMatch(/^(one\n)?2\n(two\n)?$/);
      expect(await bench.mode("bin/run"), path).toBe(0o755);
    }
    expect(await readlink(join(bench.dir, "link"))).toBe("bin/run");
    expect((await lstat(join(bench.dir, "folder"))).isSymbolicLink()).toBe(true);
    expect(await bench.tree()).toEqual(["bin", "bin/run", "folder", "link"]);
  },
);

test("the notebook tool and undo keep them too", async () => {
  await using bench = await openWorkbench({ files: { "a.ipynb": notebook }, mustRead: false });
  await bench.chmod("a.ipynb", 0o751);
  await bench.link("a.ipynb", "link.ipynb");
  const edit = { command: "replace", path: "link.ipynb", index: 0, source: "2" };
  expect(await bench.call("notebook", edit)).toMatch(/^ok: Replaced/);
  expect([await bench.mode("a.ipynb"), (await lstat(join(bench.dir, "link.ipynb"))).isSymbolicLink()]).toEqual([
    0o751,
    true,
  ]);
  expect(await bench.call("undo", { path: "link.ipynb" })).toMatch(/^ok: /);
  expect([await bench.read("a.ipynb"), await bench.mode("a.ipynb")]).toEqual([notebook, 0o751]);
});

test("a patch round-trips UTF-16 and Windows-1252 beside UTF-8, in every form of patch", async () => {
  const utf16 = (text: string) => Buffer.from(`\uFEFF${text}`, "utf16le");
  const latin = (text: string) => Buffer.from(text, "latin1");
  const files = { a: utf16("é\r\ntwo\r\n"), b: latin("é\ntwo"), c: Buffer.from("é\ntwo\n") };
  for (const form of [patch, (path: string) => unified(path).replace(" one", " é"), operation]) {
    await using bench = await openWorkbench({ files, editing: "patch" });
    for (const path of ["a", "b", "c"]) expect(await bench.call("apply_patch", form(path)), path).toMatch(/^ok: /);
    const bytes = await Promise.all(["a", "b", "c"].map((path) => readFile(join(bench.dir, path))));
    expect(bytes).toEqual([utf16("é\r\n2\r\n"), latin("é\n2"), Buffer.from("é\n2\n")]);
  }
});
