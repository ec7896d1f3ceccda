import { describe, expect, test } from "vitest";
import { DRIVERS, openWorkbench } from "./workbench.ts";

const wrap = (body: string): string => `*** Begin Patch\n${body}\n*** End Patch`;

describe.each(DRIVERS)("the apply_patch tool, in the %s sandbox", (driver) => {
  const open = (files: Readonly<Record<string, string | Buffer>>) => openWorkbench({ driver, files, editing: "patch" });

  test("a patch over several files is applied, and each is told", async () => {
    await using bench = await open({ "a.txt": "one\ntwo\n", "b.txt": "b\n", "old.sh": "echo\n" });
    await bench.call("shell", { command: "chmod 755 old.sh" });
    const body = [
      "*** Update File: a.txt\n@@\n-one\n+1",
      "*** Delete File: b.txt",
      "*** Add File: src/deep/c.txt\n+c",
      "*** Update File: ./old.sh\n*** Move to: bin/new.sh\n@@\n-echo\n+echo hi",
    ];
    expect(await bench.call("apply_patch", wrap(body.join("\n")))).toBe(
      "ok: Done.\nM a.txt (at line 1)\nD b.txt\nA src/deep/c.txt\nR old.sh -> bin/new.sh (at line 1)",
    );
    expect(await bench.tree()).toEqual(["a.txt", "bin", "bin/new.sh", "src", "src/deep", "src/deep/c.txt"]);
    expect([await bench.read("a.txt"), await bench.read("bin/new.sh")]).toEqual(["1\ntwo\n", "echo hi\n"]);
    expect(await bench.mode("bin/new.sh")).toBe(0o755);
  });

  test("each changed file is told as hunks, a moved one under its new name", async () => {
    await using bench = await open({ "a.txt": "one\ntwo\n", "b.txt": "b\n", old: "x\ny\n", real: "r\n" });
    await bench.link("real", "link");
    const update = (path: string, old: string) => `*** Update File: ${path}\n@@\n-${old}\n+1`;
    const moved = "*** Update File: old\n*** Move to: new\n@@\n-y\n+1";
    const body = [
      update("./a.txt", "one"),
      "*** Delete File: b.txt",
      moved,
      update("link", "r"),
      "*** Add File: c\n+c",
    ];
    const { results } = await bench.dispatch([["apply_patch", wrap(body.join("\n"))]]);
    const hunk = (old: number, fresh: number, lines: readonly string[]) => [
      { oldStart: old && 1, oldLines: old, newStart: fresh && 1, newLines: fresh, lines },
    ];
    expect(results[0]?.edits).toEqual([
      { path: "a.txt", hunks: hunk(2, 2, ["-one", "+1", " two"]), isCut: false },
      { path: "b.txt", hunks: hunk(1, 0, ["-b"]), isCut: false },
      { path: "new", movedFrom: "old", hunks: hunk(2, 2, [" x", "-y", "+1"]), isCut: false },
      { path: "real", hunks: hunk(1, 1, ["-r", "+1"]), isCut: false },
      { path: "c", hunks: hunk(0, 1, ["+c"]), isCut: false },
    ]);
  });

  test("an Add over a file that was not read is refused with its text, and the same call then works", async () => {
    await using bench = await open({ "a.txt": "precious\n", "b.txt": "b\n" });
    const add = wrap("*** Delete File: b.txt\n*** Add File: a.txt\n+new");
    expect(await bench.call("apply_patch", add)).toBe(
      "error: The patch was not applied; no file was changed.\na.txt: Add File would replace a file that you have not read. It now reads:\n     1\tprecious\nRepeat the call if it still fits.",
    );
    expect(await bench.tree()).toEqual(["a.txt", "b.txt"]);
    expect(await bench.call("apply_patch", add)).toContain("ok: Done.");
    expect(await bench.read("a.txt")).toBe("new\n");
    const anew = wrap("*** Delete File: a.txt\n*** Add File: a.txt\n+again");
    expect(await bench.call("apply_patch", anew)).toContain("ok: Done.");
  });

  test("the text may come bare or in either field", async () => {
    await using bench = await open({});
    await bench.call("apply_patch", wrap("*** Add File: a\n+a"));
    await bench.call("apply_patch", { patch: wrap("*** Add File: b\n+b") });
    await bench.call("apply_patch", { input: wrap("*** Add File: c\n+c") });
    expect(await bench.tree()).toEqual(["a", "b", "c"]);
    expect(await bench.call("apply_patch", { diff: "x" })).toContain("expected the text of the patch");
  });

  test("when one hunk does not fit, no file is touched and the model is told where to look", async () => {
    await using bench = await open({ "a.txt": "one\n", "b.txt": "two\n" });
    const said = await bench.call(
      "apply_patch",
      wrap("*** Update File: a.txt\n@@\n-one\n+1\n*** Update File: b.txt\n@@\n-tow\n+2"),
    );
    expect(said).toContain(
      "error: The patch was not applied; no file was changed.\nHunk 2 (b.txt), chunk 1, patch line 7",
    );
    expect(await bench.read("a.txt")).toBe("one\n");
  });

  test("when one file cannot be written, none is", async () => {
    await using bench = await open({ "a.txt": "one\n", file: "x\n" });
    await bench.link("/etc/hostname", "out");
    await bench.link("../gone", "dangling");
    const update = "*** Update File: a.txt\n@@\n-one\n+1";
    for (const [path, why] of [
      ["file/below", "Not a directory"],
      ["new/../../x", "outside the workspace"],
      ["dangling", "outside the workspace"],
      [".git/hooks/pre-commit", "names .git"],
      ["/etc/x", "outside the workspace"],
    ] as const) {
      const said = await bench.call(
        "apply_patch",
        wrap(`*** Add File: made/for/this\n+x\n${update}\n*** Add File: ${path}\n+x`),
      );
      expect(said, path).toMatch(/^error: /);
      expect(said.includes(why) || path === "file/below", said).toBe(true);
    }
    expect(await bench.read("a.txt")).toBe("one\n");
    expect(await bench.tree()).toEqual(["a.txt", "dangling", "file", "out"]);
  });

  test("a file under two names is not written twice", async () => {
    await using bench = await open({ "a.txt": "one\ntwo\n" });
    await bench.link("a.txt", "b.txt");
    const said = await bench.call(
      "apply_patch",
      wrap("*** Update File: a.txt\n@@\n-one\n+1\n*** Update File: b.txt\n@@\n-two\n+2"),
    );
    expect(said).toContain("two changes of this call lead to the same file");
    expect(await bench.read("a.txt")).toBe("one\ntwo\n");
  });

  test("a binary file can be deleted, not updated", async () => {
    await using bench = await open({ "a.bin": Buffer.from([0, 1]) });
    expect(await bench.call("apply_patch", wrap("*** Update File: a.bin\n@@\n-x\n+y"))).toContain(
      "it is a binary file",
    );
    expect(await bench.call("apply_patch", wrap("*** Delete File: a.bin"))).toBe("ok: Done.\nD a.bin");
    expect(await bench.tree()).toEqual([]);
  });

  test("a patch typed into the shell is applied by the same engine", async () => {
    await using bench = await open({ "sub/a.txt": "one\n" });
    const command = `cd sub && apply_patch <<'EOF'\n${wrap("*** Update File: a.txt\n@@\n-one\n+$1")}\nEOF\n`;
    expect(await bench.call("shell", { command })).toBe("ok: Done.\nM sub/a.txt (at line 1)");
    expect(await bench.read("sub/a.txt")).toBe("$1\n");
  });
});

test("a file that a patch has made or moved counts as read", async () => {
  await using bench = await openWorkbench({ files: { old: "x\ny\n" } });
  await bench.call("read", { files: ["old"] });
  const moved = "*** Update File: old\n*** Move to: new\n@@\n-y\n+z";
  await bench.call("shell", { command: wrap(`*** Add File: made\n+m\n${moved}`) });
  for (const path of ["made", "new"])
    expect(await bench.call("edit", { command: "insert", path, insert_line: 0, insert_text: "i" })).toContain("ok: ");
});

test("two hundred files are one write, whole and fast enough", async () => {
  await using bench = await openWorkbench({ editing: "patch" });
  const body = Array.from({ length: 200 }, (_, i) => `*** Add File: d${i % 10}/f${i}\n+${i}`).join("\n");
  expect(await bench.call("apply_patch", wrap(body))).toContain("ok: Done.");
  expect((await bench.tree()).length).toBe(210);
});
