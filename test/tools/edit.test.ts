import { describe, expect, test } from "vitest";
import { DRIVERS, openWorkbench } from "./workbench.ts";

describe.each(DRIVERS)("the edit tool, in the %s sandbox", (driver) => {
  test("a file is viewed with line numbers, by range too", async () => {
    await using bench = await openWorkbench({ driver, files: { "a.txt": "one\ntwo\nthree\n" } });
    expect(await bench.call("edit", { command: "view", path: "a.txt" })).toBe(
      "ok:      1\tone\n     2\ttwo\n     3\tthree",
    );
    expect(await bench.call("edit", { command: "view", path: "/workspace/a.txt", view_range: [2, -1] })).toBe(
      "ok:      2\ttwo\n     3\tthree\n[lines 2 to 3 of 3]",
    );
    expect(await bench.call("edit", { command: "view", path: "a.txt", view_range: "[3, 9]" })).toContain("3\tthree");
    expect(await bench.call("edit", { command: "view", path: "a.txt", view_range: [4, 5] })).toBe(
      "error: view_range starts at line 4, but the file has 3 lines.",
    );
  });

  test("a directory is listed", async () => {
    await using bench = await openWorkbench({ driver, files: { "a.txt": "", "src/b.ts": "" } });
    expect(await bench.call("edit", { command: "view", path: "." })).toBe("ok: a.txt\nsrc/");
    expect(await bench.call("edit", { command: "view", path: "/workspace" })).toBe("ok: a.txt\nsrc/");
    expect(await bench.call("edit", { command: "view", path: "src/" })).toBe("ok: b.ts");
  });

  test("what was read can be replaced, and the place is shown", async () => {
    await using bench = await openWorkbench({ driver, files: { "a.txt": "one\ntwo\nthree\n" } });
    await bench.call("edit", { command: "view", path: "a.txt" });
    const said = await bench.call("edit", { command: "str_replace", path: "a.txt", old_str: "two", new_str: "$&2" });
    expect(said).toBe("ok: Replaced in a.txt at line 2:\n     1\tone\n     2\t$&2\n     3\tthree");
    expect(await bench.read("a.txt")).toBe("one\n$&2\nthree\n");
    // Its own edit counts as read.
    await bench.call("edit", { command: "str_replace", path: "a.txt", old_str: "one\n" });
    expect(await bench.read("a.txt")).toBe("$&2\nthree\n");
  });

  test("a file that was not read is refused with the place, and the same call then works", async () => {
    await using bench = await openWorkbench({ driver, files: { "a.txt": "one\ntwo\n" } });
    const edit = { command: "str_replace", path: "a.txt", old_str: "two", new_str: "2" };
    expect(await bench.call("edit", edit)).toBe(
      'error: You have not read "a.txt" yet, so nothing was changed. It now reads:\n     1\tone\n     2\ttwo\nRepeat the call if it still fits.',
    );
    expect(await bench.read("a.txt")).toBe("one\ntwo\n");
    expect(await bench.call("edit", edit)).toContain("ok:");
  });

  test("a file that a command has changed since is refused with its fresh text, one that was only touched is not", async () => {
    await using bench = await openWorkbench({ driver, files: { "a.txt": "one\ntwo\n" } });
    await bench.call("edit", { command: "view", path: "a.txt" });
    await bench.call("shell", { command: "touch -d 2001-01-01 a.txt" });
    expect(
      await bench.call("edit", { command: "insert", path: "a.txt", insert_line: 0, insert_text: "zero" }),
    ).toContain("ok:");
    await bench.call("shell", { command: "sed -i s/two/zwei/ a.txt" });
    const said = await bench.call("edit", { command: "str_replace", path: "a.txt", old_str: "zwei", new_str: "2" });
    expect(said).toContain("has changed since you read it");
    expect(said).toContain("     3\tzwei");
    expect(await bench.read("a.txt")).toBe("zero\none\nzwei\n");
  });

  test("a new file is created with its folders, an unread one is not overwritten", async () => {
    await using bench = await openWorkbench({ driver, files: { "old.txt": "precious\n" } });
    expect(await bench.call("edit", { command: "create", path: "deep/er/new.txt", file_text: "a\nb\n" })).toBe(
      "ok: Wrote deep/er/new.txt, 2 lines.",
    );
    expect(await bench.read("deep/er/new.txt")).toBe("a\nb\n");
    expect(await bench.mode("deep/er/new.txt")).toBe(0o644);
    expect(await bench.call("edit", { command: "create", path: "old.txt", file_text: "x" })).toContain("precious");
    expect(await bench.read("old.txt")).toBe("precious\n");
  });

  test("lines are inserted under both names of the field", async () => {
    await using bench = await openWorkbench({ driver, files: { "a.txt": "b\n" } });
    await bench.call("edit", { command: "view", path: "a.txt" });
    await bench.call("edit", { command: "insert", path: "a.txt", insert_line: 0, insert_text: "a" });
    await bench.call("edit", { command: "insert", path: "a.txt", insert_line: "2", new_str: "c\n" });
    expect(await bench.read("a.txt")).toBe("a\nb\nc\n");
    expect(await bench.call("edit", { command: "insert", path: "a.txt", insert_line: 9, insert_text: "x" })).toBe(
      "error: insert_line 9 is outside the file: use 0 (its start) to 3 (its end).",
    );
    expect(await bench.call("edit", { command: "insert", path: "a.txt", insert_line: 0 })).toBe(
      "error: Wrong arguments for edit, nothing was done:\n- insert_text: is missing",
    );
  });

  test("the executable bit, a byte-order mark and the line endings stay", async () => {
    await using bench = await openWorkbench({ driver, files: { "run.sh": "\uFEFFecho a\r\necho b\r\n" } });
    await bench.call("shell", { command: "chmod 755 run.sh" });
    await bench.call("edit", { command: "view", path: "run.sh" });
    await bench.call("edit", {
      command: "str_replace",
      path: "run.sh",
      old_str: "echo a\necho b\n",
      new_str: "echo c\n",
    });
    expect(await bench.read("run.sh")).toBe("\uFEFFecho c\r\n");
    expect(await bench.mode("run.sh")).toBe(0o755);
  });

  test("a link inside the workspace is written through and stays a link", async () => {
    await using bench = await openWorkbench({ driver, files: { "real.txt": "a\n" } });
    await bench.link("real.txt", "link.txt");
    await bench.call("edit", { command: "view", path: "real.txt" });
    expect(
      await bench.call("edit", { command: "str_replace", path: "link.txt", old_str: "a", new_str: "b" }),
    ).toContain("ok:");
    expect(await bench.read("real.txt")).toBe("b\n");
    expect(await bench.call("shell", { command: "test -L link.txt && echo yes" })).toContain("yes");
  });

  test("what is no text file is refused with the reason", async () => {
    const files = { "bin.dat": Buffer.from([1, 0, 2]), "odd.dat": Buffer.from([0xe9, 0x01]), "dir/a": "" };
    await using bench = await openWorkbench({ driver, files });
    await bench.call("shell", { command: "mkfifo pipe" });
    const views = ["bin.dat", "odd.dat", "nosuch", "pipe"].map((path) => bench.call("edit", { command: "view", path }));
    expect(await Promise.all(views)).toEqual([
      'error: Cannot view "bin.dat": it is a binary file (it holds NUL bytes, 3 bytes).',
      'error: Cannot view "odd.dat": it is a binary file (it is not UTF-8 and holds control characters, 2 bytes).',
      'error: Cannot view "nosuch": there is no such file.',
      'error: Cannot view "pipe": it is not a regular file.',
    ]);
    expect(await bench.call("edit", { command: "create", path: "dir", file_text: "" })).toBe(
      'error: Cannot edit "dir": it is a directory.',
    );
    expect(await bench.call("edit", { command: "create", path: "bin.dat/a", file_text: "" })).toContain(
      "Nothing was changed.",
    );
  });

  test("a path outside the workspace or in .git is refused, whatever it looks like", async () => {
    await using bench = await openWorkbench({ driver, files: { ".git/config": "[core]\n" } });
    await bench.link("/etc", "out");
    await bench.link(".git", "innocent");
    await bench.link("../../new", "dangling");
    const outside = ["../x", "/etc/passwd", "out/x", "dangling", "a/../../x"];
    const git = [
      ".git/config",
      ".GIT/x",
      ".git /x",
      ".git./x",
      ".g\u200cit/x",
      "\uFF0Egit/x",
      "sub/.git/x",
      "git~1/x",
      "innocent/x",
    ];
    for (const path of [...outside, ...git, "", " ", "a\0b", "a\nb"]) {
      const said = await bench.call("edit", { command: "create", path, file_text: "x" });
      expect(said, path).toMatch(
        /^error: Cannot edit ".*": (it is outside|it names \.git|it leads into \.git|the path)/s,
      );
    }
    expect(await bench.tree()).toEqual([".git", ".git/config", "dangling", "innocent", "out"]);
  });

  test("an unknown command is told what there is", async () => {
    await using bench = await openWorkbench({ driver });
    expect(await bench.call("edit", { command: "delete", path: "a" })).toContain(
      "command must be view, create, str_replace, insert or undo_edit",
    );
  });
});

test("a large file is shown by its beginning, and what is left out is said", async () => {
  const text = Array.from({ length: 3000 }, (_, i) => `line ${i + 1}`).join("\n");
  await using bench = await openWorkbench({ files: { "a.txt": text } });
  expect(await bench.call("edit", { command: "view", path: "a.txt" })).toContain(
    "[… lines 1501 to 3000 of 3000 not shown; use view_range …]",
  );
});

test("a folder that may not be written is told, and nothing is left behind", async () => {
  await using bench = await openWorkbench({ files: { "closed/a.txt": "a\n" } });
  await bench.call("shell", { command: "chmod 555 closed; chmod 444 closed/a.txt" });
  expect(await bench.call("edit", { command: "create", path: "closed/b.txt", file_text: "b" })).toMatch(
    /^error: Cannot write "closed\/b.txt": .*Permission denied\. Nothing was changed\.$/s,
  );
  await bench.call("edit", { command: "view", path: "closed/a.txt" });
  expect(await bench.call("edit", { command: "insert", path: "closed/a.txt", insert_line: 0, insert_text: "b" })).toBe(
    'error: Cannot write "closed/a.txt": it is read-only here. Nothing was changed.',
  );
  expect(await bench.tree()).toEqual(["closed", "closed/a.txt"]);
});

test("a person's single call needs no reading first", async () => {
  await using bench = await openWorkbench({ files: { "a.txt": "a\n" }, mustRead: false });
  await bench.call("edit", { command: "str_replace", path: "a.txt", old_str: "a", new_str: "b" });
  expect(await bench.read("a.txt")).toBe("b\n");
});
