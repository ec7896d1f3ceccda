import { describe, expect, test } from "vitest";
import { DRIVERS, openWorkbench } from "./workbench.ts";

const code = `import { x } from "x";

@sealed
export class Shop {
  open(): void {}
  close(): void {
    x();
  }
}

export const close = (a: number) => a;
`;

describe.each(DRIVERS)("the read tool, in the %s sandbox", (driver) => {
  test("many files are read in one call, by range too", async () => {
    await using bench = await openWorkbench({ driver, files: { "a.txt": "one\ntwo\nthree\n", "b/c.txt": "x\r\ny" } });
    expect(
      await bench.call("read", { files: [{ path: "a.txt", start_line: 2 }, { path: "/workspace/b/c.txt" }, "a.txt"] }),
    ).toBe(
      [
        "ok: == a.txt\n     2\ttwo\n     3\tthree\n[lines 2 to 3 of 3]",
        "== /workspace/b/c.txt\n     1\tx\n     2\ty",
        "== a.txt\n     1\tone\n     2\ttwo\n     3\tthree",
      ].join("\n\n"),
    );
    expect(await bench.call("read", { files: [{ path: "a.txt", start_line: 1, end_line: 99 }] })).toBe(
      "ok:      1\tone\n     2\ttwo\n     3\tthree",
    );
  });

  test("what cannot be shown is said for that file, and the others are shown", async () => {
    const files = { "a.txt": "one\n", "d/x": "x\n", "b.bin": Buffer.from([1, 0, 2]), "e.txt": "", ".git/config": "x" };
    await using bench = await openWorkbench({ driver, files });
    const paths = ["none.txt", "d", "b.bin", "../out", ".git/config", "e.txt", "a.txt"];
    expect(await bench.call("read", { files: paths.map((path) => ({ path })) })).toBe(
      [
        'ok: == none.txt\nCannot read "none.txt": there is no such file; search finds files by name, given only glob.',
        '== d\nCannot read "d": it is a directory; search lists it, given only path.',
        '== b.bin\nCannot read "b.bin": it is a binary file (it holds NUL bytes, 3 bytes).',
        '== ../out\nCannot read "../out": it is outside the workspace.',
        '== .git/config\nCannot read ".git/config": it names .git, which file tools do not touch.',
        "== e.txt\nThe file is empty.",
        "== a.txt\n     1\tone",
      ].join("\n\n"),
    );
    expect(await bench.call("read", { files: [{ path: "a.txt", start_line: 5 }] })).toBe(
      "error: start_line is 5, but the file has 1 lines.",
    );
  });

  test("a symbol is shown alone, with what decorates it", async () => {
    await using bench = await openWorkbench({ driver, files: { "shop.ts": code } });
    expect(await bench.call("read", { files: [{ path: "shop.ts", symbol: "Shop.close" }] })).toBe(
      "ok:      6\t  close(): void {\n     7\t    x();\n     8\t  }\n[lines 6 to 8 of 11]",
    );
    expect(await bench.call("read", { files: [{ path: "shop.ts", symbol: "Shop" }] })).toContain("     3\t@sealed");
    expect(await bench.call("read", { files: [{ path: "shop.ts", symbol: "close" }] })).toContain("    11\texport");
    expect(await bench.call("read", { files: [{ path: "shop.ts", symbol: "nosuch" }] })).toBe(
      'error: There is no symbol "nosuch" in it. It has: Shop, Shop.open, Shop.close, close.',
    );
  });
});

test("an outline names the symbols with their lines", async () => {
  await using bench = await openWorkbench({ files: { "shop.ts": code, "notes.md": "# A\n\nx\n\n## B\n\ny\n" } });
  expect(await bench.call("read", { files: ["shop.ts", "notes.md"], outline: true })).toBe(
    [
      "ok: == shop.ts",
      "3-9: export class Shop {",
      "  5: open(): void {}",
      "  6-8: close(): void {",
      "11: export const close = (a: number) => a;",
      "[11 lines]",
      "",
      "== notes.md",
      "1-7: # A",
      "  5-7: ## B",
      "[7 lines; found by line patterns, some may be missing]",
    ].join("\n"),
  );
});

const languages: readonly (readonly [path: string, text: string, rows: readonly string[]])[] = [
  ["a.py", "@d\nclass A:\n    @e\n    def m(self):\n        pass\n", ["1-5: class A:", "  3-5: def m(self):"]],
  ["a.go", "package a\n\nfunc (s *S) M() {\n}\n", ["3-4: func (s *S) M() {"]],
  ["a.rs", "impl<T> R for A<T> {\n    fn m() {}\n}\n", ["1-3: impl<T> R for A<T> {", "  2: fn m() {}"]],
  ["a.java", "class A {\n  A() {}\n}\n", ["1-3: class A {", "  2: A() {}"]],
  ["b.java", "interface B {\n  int m();\n}\n", ["1-3: interface B {", "  2: int m();"]],
  ["b.ts", "interface B {\n  m(): void;\n}\n", ["1-3: interface B {"]],
  ["a.cs", "class A {\n  int P { get; }\n}\n", ["1-3: class A {", "  2: int P { get; }"]],
  ["a.cpp", "template <class T>\nclass A {\n  int &m() {}\n};\n", ["1-4: class A {", "  3: int &m() {}"]],
  ["a.c", "static int *f(int a)\n{\n}\n", ["1-3: static int *f(int a)"]],
  ["a.rb", "class A\n  def m\n  end\nend\n", ["1-4: class A", "  2-3: def m"]],
  ["a.php", "<?php\nclass A {\n  function m() {}\n}\n", ["2-4: class A {", "  3: function m() {}"]],
  ["a.tsx", "export function F() {\n  return <b />;\n}\n", ["1-3: export function F() {"]],
  ["a.jsx", "function F() {\n  return <b />;\n}\n", ["1-3: function F() {"]],
  ["a.css", ".a {\n  b: c;\n}\n", ["1-3: .a {"]],
  ["a.sh", "f() {\n  :\n}\n", ["1-3: f() {"]],
  ["a.ps1", "function Get-X {\n}\n", ["1-2: function Get-X {"]],
  ["a.ini", "[a]\nb=c\n", ["1-2: [a]"]],
];

test.each(languages)("an outline of %s", async (path, text, rows) => {
  await using bench = await openWorkbench({ driver: "host", files: { [path]: text } });
  const count = text.split("\n").length - 1;
  expect(await bench.call("read", { files: [path], outline: true })).toBe(
    `ok: ${[...rows, `[${count} lines]`].join("\n")}`,
  );
});

test("a language without a grammar is guessed by its lines, and a huge file has no outline", async () => {
  const kotlin = "class A {\n  private fun b() {\n  }\n}\n";
  await using bench = await openWorkbench({ files: { "a.kt": kotlin, "big.ts": "f();\n".repeat(220_000) } });
  expect(await bench.call("read", { files: [{ path: "a.kt", symbol: "A.b" }] })).toContain("     2\t  private fun b()");
  expect(await bench.call("read", { files: ["big.ts"], outline: true })).toBe(
    "error: No outline: it has more than 1 MiB; use search.",
  );
});

test("what is read may be edited, what is only outlined may not", async () => {
  await using bench = await openWorkbench({ files: { "a.ts": "function a() {}\n", "b.ts": "function b() {}\n" } });
  await bench.call("read", { files: ["a.ts"] });
  await bench.call("read", { files: ["b.ts"], outline: true });
  const edit = (path: string) =>
    bench.call("edit", { command: "str_replace", path, old_str: "() {}", new_str: "() {1}" });
  expect(await edit("a.ts")).toMatch(/^ok: /);
  expect(await edit("b.ts")).toMatch(/^error: You have not read "b\.ts"/);
});

test("large files share the room, and what is left out is said", async () => {
  const large = Array.from({ length: 5000 }, (_, i) => `line ${i + 1}`).join("\n");
  await using bench = await openWorkbench({ files: { "a.txt": large, "b.txt": large, "c.txt": "small\n" } });
  const text = await bench.call("read", { files: ["c.txt", "a.txt", "b.txt"] });
  expect(
    text.match(/\[… lines \d+ to 5000 of 5000 not shown; ask for them with start_line, or for a symbol …\]/g),
  ).toHaveLength(2);
  expect(text).not.toContain("bytes cut");
  expect(Buffer.byteLength(text)).toBeGreaterThan(40_000);
});
