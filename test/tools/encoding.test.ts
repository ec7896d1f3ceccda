import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { decodeText, encodeText } from "../../src/tools/encoding.ts";
import { openWorkbench } from "./workbench.ts";

const utf16le = (text: string): Buffer => Buffer.from(`\uFEFF${text}`, "utf16le");
const utf16be = (text: string): Buffer => utf16le(text).swap16();
const latin = (text: string): Buffer => Buffer.from(text, "latin1");
const utf8 = (text: string): Buffer => Buffer.from(text);

/** The same edit of "two" into "2" in each. */
const forms: readonly (readonly [string, (text: string) => Buffer, string, string])[] = [
  ["LF", utf8, "é\ntwo\nthree\n", "é\n2\nthree\n"],
  ["CRLF", utf8, "é\r\ntwo\r\nthree\r\n", "é\r\n2\r\nthree\r\n"],
  ["CR", utf8, "é\rtwo\rthree\r", "é\r2\rthree\r"],
  ["mixed endings", utf8, "é\r\ntwo\r\nthree\nfour\r\n", "é\r\n2\r\nthree\nfour\r\n"],
  ["no newline at the end", utf8, "é\r\nx\r\ntwo", "é\r\nx\r\n2"],
  ["a byte-order mark", utf8, "\uFEFFtwo\r\nx\r\n", "\uFEFF2\r\nx\r\n"],
  ["tabs and trailing space", utf8, "\ta \t\n\ttwo\n \n", "\ta \t\n\t2\n \n"],
  ["UTF-16LE", utf16le, "é\r\ntwo\r\n\u{1F600}", "é\r\n2\r\n\u{1F600}"],
  ["UTF-16BE", utf16be, "é\r\ntwo\r\n\u{1F600}", "é\r\n2\r\n\u{1F600}"],
  ["Latin-1", latin, "é\r\ntwo\r\n\xff", "é\r\n2\r\n\xff"],
  ["Windows-1252", latin, "\x93\x80\x81\x9d\x94\ntwo", "\x93\x80\x81\x9d\x94\n2"],
];

test.each(forms)("an edit of a file in %s leaves every other byte alone", async (_name, encode, before, after) => {
  await using bench = await openWorkbench({ files: { a: encode(before), b: encode(before) }, mustRead: false });
  const said = await bench.call("edit", { command: "str_replace", path: "a", old_str: "two", new_str: "2" });
  expect(said).toContain("ok: Replaced");
  expect(await readFile(join(bench.dir, "a"))).toEqual(encode(after));
  const patch = "*** Begin Patch\n*** Update File: b\n@@\n-two\n+2\n*** End Patch";
  expect(await bench.call("shell", { command: patch })).toContain("ok: Done.");
  expect(await readFile(join(bench.dir, "b"))).toEqual(encode(after));
  await bench.call("edit", { command: "undo_edit", path: "a" });
  expect(await readFile(join(bench.dir, "a"))).toEqual(encode(before));
});

test("a moved file keeps its encoding, a new one beside it is UTF-8", async () => {
  await using bench = await openWorkbench({ files: { a: latin("é\ntwo\n") } });
  const body = "*** Update File: a\n*** Move to: b\n@@\n-two\n+ü\n*** Add File: c\n+é";
  const said = await bench.call("shell", { command: `*** Begin Patch\n${body}\n*** End Patch` });
  expect(said).toContain("ok: Done.");
  expect(await readFile(join(bench.dir, "b"))).toEqual(latin("é\nü\n"));
  expect(await readFile(join(bench.dir, "c"))).toEqual(utf8("é\n"));
});

test("moves of files in different encodings are not one call", async () => {
  await using bench = await openWorkbench({ files: { a: latin("é\n"), b: utf8("é\n") } });
  const move = (from: string) => `*** Update File: ${from}\n*** Move to: new-${from}\n@@\n-é\n+ü`;
  const said = await bench.call("shell", { command: `*** Begin Patch\n${move("a")}\n${move("b")}\n*** End Patch` });
  expect(said).toContain("Move this one in a call of its own");
  expect(await bench.tree()).toEqual(["a", "b"]);
});

test("text that the encoding cannot hold is refused with the way out, and nothing is written", async () => {
  await using bench = await openWorkbench({ files: { a: latin("é two\n") }, mustRead: false });
  const said = await bench.call("edit", { command: "str_replace", path: "a", old_str: "two", new_str: "→" });
  expect(said).toBe(
    'error: Cannot write "a": its encoding is Windows-1252, which has no "→" (U+2192). Use characters it has, or make the file UTF-8 first: iconv -f WINDOWS-1252 -t UTF-8. Nothing was changed.',
  );
  expect(await readFile(join(bench.dir, "a"))).toEqual(latin("é two\n"));
});

test("a file written anew keeps its encoding, byte-order mark and line endings", async () => {
  const files = { a: utf16be("x\r\ny\r\n"), b: utf8("\uFEFFx\r\ny\r\n"), c: latin("\xe9\n") };
  await using bench = await openWorkbench({ files, mustRead: false });
  for (const path of ["a", "b", "c"]) await bench.call("edit", { command: "create", path, file_text: "ä\nb\n" });
  expect(await readFile(join(bench.dir, "a"))).toEqual(utf16be("ä\r\nb\r\n"));
  expect(await readFile(join(bench.dir, "b"))).toEqual(utf8("\uFEFFä\r\nb\r\n"));
  expect(await readFile(join(bench.dir, "c"))).toEqual(latin("\xe4\nb\n"));
});

test("every byte of Windows-1252 comes back", () => {
  const bytes = Buffer.from(Array.from({ length: 224 }, (_, i) => i + 32).filter((byte) => byte !== 127));
  const decoded = decodeText(bytes);
  if (decoded.kind !== "text") throw new Error(decoded.why);
  expect(decoded.encoding).toBe("windows-1252");
  expect(decoded.text).toContain("€\u0081‚");
  expect(encodeText(decoded.text, decoded.encoding)).toEqual({ kind: "bytes", bytes });
});

test.each([
  ["half a character of UTF-16", Buffer.from([0xff, 0xfe, 0x61]), "half a character"],
  ["UTF-32", Buffer.from([0xff, 0xfe, 0, 0, 0x61, 0, 0, 0]), "NUL characters"],
  ["NUL", Buffer.from([0x61, 0]), "NUL bytes"],
  ["a PNG", Buffer.from("\x89PNG\r\n\x1a\n\0\0", "latin1"), "a PNG image"],
  ["a JPEG without NUL", Buffer.from("\xff\xd8\xff\xe1xyz", "latin1"), "a JPEG image"],
  ["a GIF without NUL", Buffer.from("GIF89a\x10\x10\xf7", "latin1"), "a GIF image"],
  ["a WebP", Buffer.from("RIFF\x10\0\0\0WEBPVP8L", "latin1"), "a WebP image"],
  ["an icon", Buffer.from([0, 0, 1, 0, 1, 0]), "an ICO image"],
  ["an AVIF", Buffer.from("\0\0\0\x20ftypavif\0\0\0\0", "latin1"), "an AVIF image"],
  ["control characters", Buffer.from([0x1f, 0x8b, 0x08]), "control characters"],
])("%s is binary", (_name, bytes, why) => {
  expect(decodeText(bytes)).toMatchObject({ kind: "binary", why: expect.stringContaining(why) });
});

test("an image is refused as one, a drawing in text is shown", async () => {
  const png = Buffer.from("\x89PNG\r\n\x1a\n\0\0", "latin1");
  await using bench = await openWorkbench({
    files: { "a.png": png, "b.svg": "<svg/>\n", "GIF89a.md": "GIF89a is old.\n" },
  });
  const why = "it is a binary file (a PNG image; it is cut off or damaged, 10 bytes).";
  const view = (path: string) => bench.call("edit", { command: "view", path });
  expect(await view("a.png")).toBe(`error: Cannot view "a.png": ${why}`);
  expect(await bench.call("read", { files: ["a.png"] })).toBe(`error: Cannot read "a.png": ${why}`);
  expect([await view("b.svg"), await view("GIF89a.md")]).toEqual(["ok:      1\t<svg/>", "ok:      1\tGIF89a is old."]);
});

test("a file of nearly 50 MB is edited and undone", async () => {
  const line = "some words of an ordinary line\n";
  const big = line.repeat(1_600_000);
  await using bench = await openWorkbench({ files: { big: `${big}two` }, mustRead: false });
  const said = await bench.call("edit", { command: "str_replace", path: "big", old_str: "two", new_str: "2" });
  expect(said).toContain("ok: Replaced in big at line 1600001");
  expect((await bench.read("big")).endsWith("\n2")).toBe(true);
  await bench.call("edit", { command: "undo_edit", path: "big" });
  expect((await bench.read("big")) === `${big}two`).toBe(true);
}, 60_000);
