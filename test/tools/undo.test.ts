import { expect, test } from "vitest";
import { dispatchCalls } from "../../src/tools/dispatch.ts";
import { openPatchApplier } from "../../src/tools/apply-patch.ts";
import { openFiles } from "../../src/tools/files.ts";
import { openShownTexts } from "../../src/tools/shown-texts.ts";
import { openReadState } from "../../src/tools/read-state.ts";
import { UNDO_BYTES_MAX, openUndoStack } from "../../src/tools/undo-stack.ts";
import { undoTool } from "../../src/tools/undo.ts";
import { openWorkbench } from "./workbench.ts";

const replace = (path: string, old_str: string, new_str: string) => ({
  command: "str_replace",
  path,
  old_str,
  new_str,
});
const undo = (path: string) => ({ command: "undo_edit", path });

test("undo_edit goes back edit by edit, under every name of the file, until nothing is left", async () => {
  await using bench = await openWorkbench({ files: { "a.txt": "one\r\ntwo" }, mustRead: false });
  await bench.link("a.txt", "b.txt");
  await bench.chmod("a.txt", 0o755);
  await bench.call("edit", replace("a.txt", "one", "1"));
  await bench.call("edit", replace("b.txt", "two", "2"));
  expect(await bench.call("edit", undo("./a.txt"))).toBe("ok: Took back the last edit of:\na.txt");
  expect(await bench.read("a.txt")).toBe("1\r\ntwo");
  await bench.call("edit", undo("b.txt"));
  expect(await bench.read("a.txt")).toBe("one\r\ntwo");
  expect(await bench.mode("a.txt")).toBe(0o755);
  expect(await bench.call("edit", undo("a.txt"))).toBe('error: There is no edit of "a.txt" left to undo in this run.');
});

test("an edit and its undo are told as hunks in the result of the call", async () => {
  await using bench = await openWorkbench({ files: { "a.txt": "one\ntwo\n" }, mustRead: false });
  const { results } = await bench.dispatch([
    ["edit", replace("a.txt", "two", "2")],
    ["edit", undo("a.txt")],
    ["edit", { command: "view", path: "a.txt" }],
  ]);
  const hunk = (lines: readonly string[]) => ({ oldStart: 1, oldLines: 2, newStart: 1, newLines: 2, lines });
  expect(results.map(({ edits }) => edits)).toEqual([
    [{ path: "a.txt", hunks: [hunk([" one", "-two", "+2"])], isCut: false }],
    [{ path: "a.txt", hunks: [hunk([" one", "-2", "+two"])], isCut: false }],
    [],
  ]);
});

test("undoing a creation removes the file", async () => {
  await using bench = await openWorkbench();
  await bench.call("edit", { command: "create", path: "a.txt", file_text: "a\n" });
  expect(await bench.call("edit", undo("a.txt"))).toContain("a.txt (it was new, and is gone again)");
  expect(await bench.tree()).toEqual([]);
});

test("undo takes the folders that the edit made with it, and no others", async () => {
  await using bench = await openWorkbench({ files: { "there/a": "a\n" } });
  const create = (path: string) => bench.call("edit", { command: "create", path, file_text: "x\n" });
  await create("there/new/er/b");
  await create("there/c");
  await bench.call("edit", undo("there/new/er/b"));
  await bench.call("edit", undo("there/c"));
  expect(await bench.tree()).toEqual(["there", "there/a"]);
  await create("x/y/a");
  await create("x/y/b");
  await bench.call("edit", undo("x/y/a"));
  await bench.call("edit", undo("x/y/b"));
  expect(await bench.tree()).toEqual(["there", "there/a"]);
  await create("one/two/d");
  await bench.call("shell", { command: "touch one/kept" });
  await bench.call("edit", undo("one/two/d"));
  expect(await bench.tree()).toEqual(["one", "one/kept", "there", "there/a"]);
});

test("a file that changed since its edit is not undone", async () => {
  await using bench = await openWorkbench({ files: { "a.txt": "one\n" }, mustRead: false });
  await bench.call("edit", replace("a.txt", "one", "1"));
  await bench.call("shell", { command: "echo more >> a.txt" });
  expect(await bench.call("edit", undo("a.txt"))).toContain(
    'error: Cannot undo the last edit of "a.txt": "a.txt" changed since then',
  );
  expect(await bench.read("a.txt")).toBe("1\nmore\n");
});

test("a file that was read stays read when its edit is undone", async () => {
  await using bench = await openWorkbench({ files: { "a.txt": "one\n" } });
  await bench.call("edit", { command: "view", path: "a.txt" });
  await bench.call("edit", replace("a.txt", "one", "1"));
  await bench.call("edit", undo("a.txt"));
  expect(await bench.call("edit", replace("a.txt", "one", "2"))).toContain("ok: Replaced");
});

async function openPatching(files: Readonly<Record<string, string | Buffer>>) {
  const bench = await openWorkbench({ files });
  const readState = openReadState();
  const reached = openFiles(bench.session);
  const { signal } = new AbortController();
  const desk = { files: reached, readState, shownTexts: openShownTexts(), album: null, mustRead: true };
  const apply = openPatchApplier(desk);
  const tools = [undoTool(desk)];
  const call = async (path: string) => {
    const calls = [{ id: "1", tool: "undo", input: { path } }];
    const [said] = await dispatchCalls({ tools }, calls, { signal, now: () => 0, onResult: () => {} });
    return said?.text ?? "";
  };
  const patch = (body: string) => apply(`*** Begin Patch\n${body}\n*** End Patch`, ".", signal);
  return { bench, patch, undo: call };
}

test("a patch is taken back whole: updates, additions, deletions, moves and modes", async () => {
  const binary = Buffer.from([0, 1, 255]);
  const { bench, patch, undo } = await openPatching({ a: "one\n", b: binary, "old.sh": "echo\n" });
  await using _ = bench;
  await bench.chmod("old.sh", 0o755);
  await patch(
    "*** Update File: a\n@@\n-one\n+1\n*** Delete File: b\n*** Add File: c\n+c\n*** Update File: old.sh\n*** Move to: new.sh\n@@\n-echo\n+ls",
  );
  expect(await bench.tree()).toEqual(["a", "c", "new.sh"]);
  expect(await undo("new.sh")).toContain("Took back the last edit of:");
  expect(await bench.tree()).toEqual(["a", "b", "old.sh"]);
  expect([await bench.read("a"), await bench.read("old.sh")]).toEqual(["one\n", "echo\n"]);
  expect(await bench.mode("old.sh")).toBe(0o755);
  expect((await bench.read("b")).length).toBe(3);
});

test("of a patch nothing is taken back when one of its files changed since", async () => {
  const { bench, patch, undo } = await openPatching({ a: "one\n", b: "two\n" });
  await using _ = bench;
  await patch("*** Update File: a\n@@\n-one\n+1\n*** Update File: b\n@@\n-two\n+2");
  await patch("*** Update File: b\n@@\n-2\n+zwei");
  expect(await undo("a")).toContain('"b" changed since then');
  expect([await bench.read("a"), await bench.read("b")]).toEqual(["1\n", "zwei\n"]);
  await undo("b");
  await undo("a");
  expect([await bench.read("a"), await bench.read("b")]).toEqual(["one\n", "two\n"]);
});

test("a deleted link is not made anew, and that is told", async () => {
  const { bench, patch, undo } = await openPatching({ a: "one\n" });
  await using _ = bench;
  await bench.link("a", "link");
  await patch("*** Delete File: link");
  expect(await bench.tree()).toEqual(["a"]);
  expect(await undo("link")).toContain("link was a link, which undo does not make");
});

test("what is kept is bounded, and the oldest goes first", () => {
  const stack = openUndoStack();
  const bytes = Buffer.alloc(UNDO_BYTES_MAX / 2);
  for (const path of ["a", "b", "c"])
    stack.push({ files: [{ path, before: { bytes, mode: "644" }, after: null }], lost: null }, []);
  expect(stack.lastOf("a")?.lost).toContain("are kept for undo");
  expect(stack.lastOf("b")?.lost).toBe(null);
  expect(stack.lastOf("c")?.lost).toBe(null);
});
