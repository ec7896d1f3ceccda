import { execa } from "execa";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { png } from "../tools/pictures.ts";

const BIN = join(import.meta.dirname, "../../bin/pullwright");

async function openScratch(files: Readonly<Record<string, string | Buffer>>) {
  const dir = await mkdtemp(join(tmpdir(), "pw-tool-"));
  const work = join(dir, "work");
  await mkdir(work);
  for (const [name, content] of Object.entries(files)) await writeFile(join(work, name), content);
  const env = { PATH: process.env["PATH"] ?? "", HOME: dir, PULLWRIGHT_DATA: join(dir, "data") };
  return {
    read: (name: string) => readFile(join(work, name), "utf8"),
    tool: async (args: readonly string[], input: unknown) => {
      const options = { env, extendEnv: false, reject: false, input: JSON.stringify(input) } as const;
      const { exitCode, stdout, stderr } = await execa(BIN, ["tool", ...args, "--workspace", work], options);
      return { exitCode, stdout, stderr };
    },
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}

const replace = { command: "str_replace", path: "a.txt", old_str: "two", new_str: "2" };

test("the calls of a turn run in one go, held to what the agent is held to", async () => {
  await using scratch = await openScratch({ "a.txt": "one\ntwo\n" });
  const calls = [
    { tool: "edit", input: replace },
    { tool: "edit", input: replace },
    { tool: "edit", input: { command: "undo_edit", path: "a.txt" } },
  ];
  const { exitCode, stdout } = await scratch.tool([], calls);
  expect(exitCode).toBe(1);
  expect(stdout).toMatch(
    /^== call-1 edit \(refused\)\nYou have not read "a\.txt"[^]*\n\n== call-2 edit\nReplaced in a\.txt at line 2:[^]*\n\n== call-3 edit\nTook back/,
  );
  expect(await scratch.read("a.txt")).toBe("one\ntwo\n");
});

test("with --json a result is told with the edits it made", async () => {
  await using scratch = await openScratch({ "a.txt": "one\ntwo\n" });
  const { exitCode, stdout } = await scratch.tool(["edit", "--json"], replace);
  const hunk = { oldStart: 1, oldLines: 2, newStart: 1, newLines: 2, lines: [" one", "-two", "+2"] };
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    ...{ tool: "edit", isError: false, command: null },
    edits: [{ path: "a.txt", hunks: [hunk], isCut: false }],
  });
});

test("an image is told in words, and with --json in full", async () => {
  await using scratch = await openScratch({ "a.png": png(6, 3) });
  expect(await scratch.tool(["read"], { files: ["a.png"] })).toMatchObject({
    ...{ exitCode: 0, stdout: "[image/png of 6 x 3 pixels]" },
  });
  const { stdout } = await scratch.tool(["read", "--json"], { files: ["a.png"] });
  const image = { mediaType: "image/png", width: 6, height: 3, base64: png(6, 3).toString("base64") };
  expect(JSON.parse(stdout)).toMatchObject({ tool: "read", images: [image] });
});

test.each(["str_replace_based_edit_tool", "str_replace_editor"])("%s is the edit tool", async (name) => {
  await using scratch = await openScratch({ "a.txt": "one\ntwo\n" });
  expect(await scratch.tool([name], { command: "view", path: "a.txt" })).toMatchObject({
    ...{ exitCode: 0, stdout: "     1\tone\n     2\ttwo" },
  });
  await scratch.tool([name], { command: "insert", path: "a.txt", insert_line: 0, new_str: "zero" });
  expect(await scratch.read("a.txt")).toBe("zero\none\ntwo\n");
});

test("what is no list of calls is told, and nothing runs", async () => {
  await using scratch = await openScratch({});
  const { exitCode, stderr } = await scratch.tool([], { command: "view" });
  expect(exitCode).toBe(64);
  expect(stderr).toContain("standard input is no list of calls");
  expect(stderr).toContain("usage: pullwright tool NAME");
});
