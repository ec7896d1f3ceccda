import { expect, test } from "vitest";
import { openWorkbench } from "./workbench.ts";

const LINES = Array.from({ length: 60 }, (_, i) => `line ${i + 1} of the file`);
const TEXT = `${LINES.join("\n")}\n`;
const read = { files: ["a.txt"] };
const view = { command: "view", path: "a.txt" };

test("a file that the model has whole is not shown again, whichever tool shows it, until it insists", async () => {
  await using bench = await openWorkbench({ files: { "a.txt": TEXT } });
  const whole = await bench.call("read", read);
  expect(whole).toContain("60 of the file");
  expect(await bench.call("edit", view)).toBe(
    "ok: Unchanged since you were shown all of it.\n[Ask for lines of it, or once more for all.]",
  );
  expect(await bench.call("read", read)).toBe(whole);
  expect(await bench.call("read", { files: [{ path: "a.txt", start_line: 60 }] })).toContain("line 60 of the file");
});

test("after an edit or a command only what is new of it is shown", async () => {
  await using bench = await openWorkbench({ files: { "a.txt": TEXT } });
  await bench.call("read", read);
  await bench.call("edit", { command: "str_replace", path: "a.txt", old_str: "line 30 of", new_str: "row 30 of" });
  await bench.call("shell", { command: "sed -i '50d' a.txt" });
  const shown = await bench.call("read", read);
  expect(shown).toContain("What has changed since you were shown all of it:\n@@ -27,7 +27,7 @@");
  expect(shown).toContain("-line 30 of the file\n+row 30 of the file");
  expect(shown).toContain("-line 50 of the file");
  expect(shown).not.toContain("line 10 of");
});

test("a file that is another now, a short one and a cut one are shown as they are", async () => {
  const files = { "a.txt": TEXT, "short.txt": "x\n", "long.txt": "word\n".repeat(40_000) };
  await using bench = await openWorkbench({ files });
  await bench.call("read", read);
  await bench.call("shell", { command: "sed -i 's/line/row/' a.txt" });
  expect(await bench.call("read", read)).toContain("row 1 of the file");
  for (const path of ["short.txt", "long.txt"]) {
    const first = await bench.call("read", { files: [path] });
    expect(await bench.call("read", { files: [path] })).toBe(first);
  }
});

test("what was taken out of the window is shown again", async () => {
  await using bench = await openWorkbench({ files: { "a.txt": TEXT } });
  const whole = await bench.call("read", read);
  bench.toolset.forget();
  expect(await bench.call("read", read)).toBe(whole);
});
