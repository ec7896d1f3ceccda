import { expect, test } from "vitest";
import { openWorkbench } from "./workbench.ts";

/** None of them may be written, however it is asked for. */
const refused: readonly string[] = [
  ...["../x", "a/../../x", "/etc/x", "/workspace/../x", "out/x", "dangling", "/workspacex/x"],
  ...[".git/config", ".GIT/config", ".Git/new", "sub/.git/x", "./.git", "/workspace/.git/x", "a/../.git/config"],
  ...["innocent/config", "deep/innocent/config"],
  ...[".g\u200cit/config", ".gi\u200dt/x", "\ufeff.git/x", ".git\u00ad/x", ".\u206agit/x"],
  ...["git~1/config", "GIT~1/x", "sub/git~1/x"],
  ...[".git./x", ".git /x", ".git. ./x", ".git.../config", ".git::$INDEX_ALLOCATION/x"],
  ...[".git\\config", "a\\.GIT\\x", "a\\..\\.git\\config", ".git\uff3cx", ".g\u0131t/x", "git~1.:x/y"],
  ...["\uFF0Egit/x", "\u2024git/x", "．ｇｉｔ/x", ".ⓖⓘⓣ/x"],
  ...["x".repeat(256), `a/${"é".repeat(128)}/x`, "long/".repeat(700)],
  ...["a\u0000b", "a\u0000/../../x", "a\u001bb", "a\ud800"],
];

/** Refused for the path, not for what the call would do there. */
const WHY = /^error: .*(outside the workspace|\.git|control character|half a character|longer than)/s;

async function openTrap() {
  const files = { ".git/config": "[core]\n", "a/f": "one\n", "deep/f": "one\n" };
  const bench = await openWorkbench({ files, mustRead: false });
  await bench.link("/etc", "out");
  await bench.link(".git", "innocent");
  await bench.link("../.git", "deep/innocent");
  await bench.link("../new", "dangling");
  return bench;
}

const ways: readonly (readonly [string, (path: string) => readonly [string, unknown]])[] = [
  ["create", (path) => ["edit", { command: "create", path, file_text: "x" }]],
  ["str_replace", (path) => ["edit", { command: "str_replace", path, old_str: "core", new_str: "x" }]],
  ["notebook", (path) => ["notebook", { command: "insert", path, source: "x" }]],
  ["insert", (path) => ["edit", { command: "insert", path, insert_line: 0, insert_text: "x" }]],
  ["undo_edit", (path) => ["edit", { command: "undo_edit", path }]],
  ["add", (path) => patch(`*** Add File: good\n+x\n*** Add File: ${path}\n+x`)],
  ["update", (path) => patch(`*** Add File: good\n+x\n*** Update File: ${path}\n@@\n-[core]\n+x`)],
  ["move to", (path) => patch(`*** Add File: good\n+x\n*** Update File: a/f\n*** Move to: ${path}\n@@\n-one\n+1`)],
  ["delete", (path) => patch(`*** Add File: good\n+x\n*** Delete File: ${path}`)],
];

function patch(body: string): readonly [string, unknown] {
  return ["shell", { command: `*** Begin Patch\n${body}\n*** End Patch` }];
}

test.each(ways)("no path leads %s out of the workspace or into .git, and nothing is written", async (name, call) => {
  await using bench = await openTrap();
  const tree = await bench.tree();
  for (const path of refused) {
    if (name === "delete" && path === "dangling") continue; // The link itself goes, which lies inside.
    expect(await bench.call(...call(path)), JSON.stringify(path)).toMatch(name === "undo_edit" ? /^error: / : WHY);
  }
  expect(await bench.tree()).toEqual(tree);
  expect([await bench.read(".git/config"), await bench.read("a/f")]).toEqual(["[core]\n", "one\n"]);
});

test("a link that leads in a circle is neither read nor replaced", async () => {
  await using bench = await openWorkbench({ files: { "a/f": "one\n" }, mustRead: false });
  await bench.link("loop", "loop");
  await bench.link("pong", "ping");
  await bench.link("ping", "pong");
  for (const path of ["loop", "ping"]) {
    expect(await bench.call("read", { files: [path] })).toContain("it is a link that leads in a circle");
    const said = await bench.call("edit", { command: "create", path, file_text: "x" });
    expect(said).toBe(`error: Cannot edit "${path}": it is a link that leads in a circle.`);
    const [name, add] = patch(`*** Add File: good\n+x\n*** Add File: ${path}\n+x`);
    expect(await bench.call(name, add)).toContain("it is a link that leads in a circle");
  }
  expect(await bench.tree()).toEqual(["a", "a/f", "loop", "ping", "pong"]);
});

test.each(["C:\\temp\\x", "a\\b", "new/", "a/new/", "a//"])("no file is made under the name %s", async (path) => {
  await using bench = await openWorkbench({ files: { "a/f": "one\n" }, mustRead: false });
  const said = await bench.call("edit", { command: "create", path, file_text: "x" });
  expect(said).toMatch(
    /^error: Cannot (write|edit) .*(a new name may hold no backslash|names a folder|is a directory)/,
  );
  for (const body of [`*** Add File: ${path}\n+x`, `*** Update File: a/f\n*** Move to: ${path}\n@@\n-one\n+1`])
    expect(await bench.call(...patch(body))).toMatch(/^error: /);
  expect(await bench.tree()).toEqual(["a", "a/f"]);
});

test("a file whose name holds a backslash is edited like any other", async () => {
  await using bench = await openWorkbench({ files: { "a\\b": "one\n" }, mustRead: false });
  const edit = { command: "str_replace", path: "a\\b", old_str: "one", new_str: "1" };
  expect(await bench.call("edit", edit)).toContain("ok: Replaced");
  expect(await bench.read("a\\b")).toBe("1\n");
});

test("one file under several names is read once", async () => {
  await using bench = await openWorkbench({ files: { "a/f": "one\ntwo\n" } });
  await bench.link("a", "b");
  await bench.link("a/f", "g");
  await bench.call("edit", { command: "view", path: "./a//f" });
  for (const [i, path] of ["a/f", "b/f", "g", "/workspace/a/f", "a/../a/f"].entries())
    expect(await bench.call("edit", { command: "insert", path, insert_line: 0, insert_text: `${i}` }), path).toContain(
      "ok: Inserted",
    );
  expect(await bench.read("a/f")).toBe("4\n3\n2\n1\n0\none\ntwo\n");
});

test("a file that a formatter has changed is refused with its fresh lines, and one more call mends it", async () => {
  const text = Array.from({ length: 300 }, (_, i) => `line ${i + 1}\n`).join("");
  await using bench = await openWorkbench({ files: { f: text } });
  await bench.call("edit", { command: "view", path: "f" });
  await bench.call("shell", { command: 'sed -i "s/line 250/  line 250;/" f' });
  const edit = { command: "str_replace", path: "f", old_str: "line 249\nline 250\n", new_str: "x\n" };
  const said = await bench.call("edit", edit);
  expect(said).toContain("has changed since you read it (a command or a formatter wrote it), so nothing was changed.");
  expect(said).toContain("   250\t  line 250;");
  const mended = { ...edit, old_str: "line 249\n  line 250;\n" };
  expect(await bench.call("edit", mended)).toContain("ok: Replaced in f at line 249");
});
