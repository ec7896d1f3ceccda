import { describe, expect, test } from "vitest";
import { DRIVERS, openWorkbench } from "./workbench.ts";

const files = {
  ".gitignore": "dist/\n*.log\n",
  ".git/config": "needle\n",
  ".env.example": "needle=1\n",
  "dist/out.js": "needle\n",
  "debug.log": "needle\n",
  "src/a.ts": "one\nneedle(1)\nthree\nfour\nneedle two\n",
  "src/b.ts": "Needle\n",
  "README.md": "nothing\n",
};

describe.each(DRIVERS)("the search tool, in the %s sandbox", (driver) => {
  test("matching lines are grouped by file; what is ignored and .git stay out", async () => {
    await using bench = await openWorkbench({ driver, files });
    expect(await bench.call("search", { pattern: "needle" })).toBe(
      "ok: .env.example\n1: needle=1\n\nsrc/a.ts\n2: needle(1)\n5: needle two",
    );
    expect(await bench.call("search", { pattern: "needle", ignore_case: true, path: "src/b.ts" })).toBe(
      "ok: src/b.ts\n1: Needle",
    );
    expect(await bench.call("search", { pattern: "two", path: "src", context: 1 })).toBe(
      "ok: src/a.ts\n4- four\n5: needle two",
    );
    expect(await bench.call("search", { pattern: "three\\nfour" })).toBe("ok: src/a.ts\n3: three\n4: four");
    expect(await bench.call("search", { pattern: "nowhere" })).toBe("ok: No match.");
  });

  test("names and counts", async () => {
    await using bench = await openWorkbench({ driver, files });
    expect(await bench.call("search", { pattern: "needle", mode: "files" })).toBe("ok: .env.example\nsrc/a.ts");
    expect(await bench.call("search", { pattern: "needle", mode: "count", glob: "*.ts" })).toBe("ok: src/a.ts: 2");
    expect(await bench.call("search", { glob: "src/**" })).toBe("ok: src/a.ts\nsrc/b.ts");
    expect(await bench.call("search", { glob: "*.zig" })).toBe("ok: No file has such a name.");
    expect(await bench.call("search", { glob: "src/*.{js,ts}" })).toBe("ok: src/a.ts\nsrc/b.ts");
    expect(await bench.call("search", { glob: "./src/" })).toBe("ok: src/a.ts\nsrc/b.ts");
    expect(await bench.call("search", { glob: "**/a.ts", path: "src" })).toBe("ok: src/a.ts");
    expect(await bench.call("search", { glob: "!*.ts" })).toBe("ok: .env.example\n.gitignore\nREADME.md");
  });

  test("a glob does not bring ignored files back", async () => {
    await using bench = await openWorkbench({ driver, files });
    expect(await bench.call("search", { glob: "*" })).not.toContain("debug.log");
    expect(await bench.call("search", { glob: "*.log" })).toBe("ok: No file has such a name.");
    expect(await bench.call("search", { pattern: "needle", glob: "**/*.js" })).toBe("ok: No match.");
    expect(await bench.call("search", { pattern: "needle", glob: "*.log", mode: "count" })).toBe("ok: No match.");
  });

  test("lines that end in CRLF are found and shown like others", async () => {
    await using bench = await openWorkbench({ driver, files: { "a.txt": "one\r\ntwo\r\n", "b.txt": "one\ntwo\n" } });
    const both = (rows: string) => `ok: a.txt\n${rows}\n\nb.txt\n${rows}`;
    expect(await bench.call("search", { pattern: "two$" })).toBe(both("2: two"));
    expect(await bench.call("search", { pattern: "^one\\ntwo" })).toBe(both("1: one\n2: two"));
    expect(await bench.call("search", { pattern: "one\ntwo" })).toBe(both("1: one\n2: two"));
    expect(await bench.call("search", { pattern: "e[\\r\\n]+t" })).toBe(both("1: one\n2: two"));
    expect(await bench.call("search", { pattern: "\\\\n" })).toBe("ok: No match.");
  });

  test("only git's rules hide a file, not a .ignore that git knows nothing of", async () => {
    await using bench = await openWorkbench({ driver, files: { ".ignore": "a.txt\n", "a.txt": "needle\n" } });
    expect(await bench.call("search", { pattern: "needle" })).toBe("ok: a.txt\n1: needle");
    expect(await bench.call("search", { glob: "*.txt" })).toBe("ok: a.txt");
    expect(await bench.call("search", { glob: "./*.txt" })).toBe("ok: a.txt");
  });

  test("what the workspace ignores is ignored below a path too", async () => {
    await using bench = await openWorkbench({ driver, files: { ...files, "src/x.log": "needle\n" } });
    expect(await bench.call("search", { pattern: "needle", path: "src", mode: "files" })).toBe("ok: src/a.ts");
    expect(await bench.call("search", { path: "src" })).toBe("ok: a.ts\nb.ts");
  });

  test("a folder is listed to a depth, deeper folders by the number of their files", async () => {
    const deep = { ...files, "src/deep/er/c.ts": "", "src/deep/er/d.ts": "", "src/deep/e.ts": "", "lib/x/y.ts": "" };
    await using bench = await openWorkbench({ driver, files: deep });
    expect(await bench.call("search", { depth: 1 })).toBe(
      "ok: .env.example\n.gitignore\nREADME.md\nlib/ (1 file)\nsrc/ (5 files)",
    );
    expect(await bench.call("search", { path: "/workspace/src/" })).toBe(
      "ok: a.ts\nb.ts\ndeep/e.ts\ndeep/er/ (2 files)",
    );
    expect(await bench.call("search", { path: "src", depth: 1, limit: 2 })).toBe(
      "ok: a.ts\nb.ts\n[… first 2 of 3 entries; narrow the search or raise limit …]",
    );
    expect(await bench.call("search", { path: "dist" })).toBe("ok: out.js");
    expect(await bench.call("search", { path: "nosuch" })).toMatch(/^error: .*nosuch/s);
    expect(await bench.call("search", { path: ".." })).toContain("name a path inside the workspace");
  });

  test("a file that cannot be read is named, and the others are searched", async () => {
    await using bench = await openWorkbench({ driver, files: { "a.txt": "x\n", "shut.txt": "x\n", "shut/b": "x\n" } });
    await bench.call("shell", { command: "chmod 000 shut.txt shut" });
    const note = "[not searched, its permissions forbid it: shut, shut.txt]";
    // Root may read everything, and the host's sandbox has its user.
    if (driver === "host" && process.getuid?.() === 0) return;
    expect(await bench.call("search", { pattern: "x" })).toBe(`ok: a.txt\n1: x\n${note}`);
    expect(await bench.call("search", { pattern: "y" })).toBe(`ok: No match.\n${note}`);
    expect(await bench.call("search", { pattern: "x", path: "shut.txt" })).toContain("[not searched");
    await bench.call("shell", { command: "chmod 755 shut.txt shut" });
  });

  test("what was cut is counted", async () => {
    await using bench = await openWorkbench({ driver, files: { "a.txt": "x\n".repeat(50), "b.txt": "x\n" } });
    expect(await bench.call("search", { pattern: "x", limit: 2 })).toBe(
      "ok: a.txt\n1: x\n2: x\n[… first 2 of 51 matches in 2 files; narrow the search or raise limit …]",
    );
    expect(await bench.call("search", { glob: "*.txt", limit: 1 })).toContain("[… first 1 of 2 files;");
  });

  test("a wrong pattern and a place outside are refused with the reason", async () => {
    await using bench = await openWorkbench({ driver, files });
    expect(await bench.call("search", { pattern: "(" })).toMatch(/^error: The search failed: [\s\S]*unclosed group/);
    expect(await bench.call("search", { pattern: "x", path: "../.." })).toContain("name a path inside the workspace");
    expect(await bench.call("search", { pattern: "x", path: "nosuch" })).toMatch(/^error: .*nosuch/s);
    expect(await bench.call("search", { pattern: "--files" })).toBe("ok: No match.");
  });
});
