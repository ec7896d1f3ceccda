/** Which bytes are an image that may be shown; a vendor refuses all that holds one it cannot read. */
import { expect, test } from "vitest";
import { readImage } from "../../src/tools/image.ts";
import { openAlbum } from "../../src/tools/album.ts";
import { chunk, GIF, JPEG, png, WEBP, WEBP_LOSSLESS } from "./pictures.ts";
import { openWorkbench } from "./workbench.ts";

test.each([
  ["PNG", png(3, 2), "image/png", 3, 2],
  ["PNG at the largest size", png(2000, 2000), "image/png", 2000, 2000],
  ["JPEG", JPEG, "image/jpeg", 16, 12],
  ["GIF", GIF, "image/gif", 1, 1],
  ["lossy WebP", WEBP, "image/webp", 1, 1],
  ["lossless WebP", WEBP_LOSSLESS, "image/webp", 1, 1],
])("a %s is an image of its size", (_, bytes, mediaType, width, height) => {
  const image = { mediaType, width, height, base64: bytes.toString("base64") };
  expect(readImage(bytes)).toEqual({ kind: "image", image });
});

const damaged = Buffer.from(png(40, 40));
damaged[60] = (damaged[60] ?? 0) ^ 1;
const twice = Buffer.concat([GIF.subarray(0, -1), GIF.subarray(GIF.indexOf(0x2c))]);
const moving = Buffer.concat([WEBP.subarray(0, 12), Buffer.from("VP8X\x0a\0\0\0\x02", "latin1"), WEBP.subarray(12)]);
const short = Buffer.concat([
  png(40, 40).subarray(0, 33),
  chunk("IDAT", Buffer.from("789c030000000001", "hex")),
  chunk("IEND", Buffer.alloc(0)),
]);

test.each([
  ["PNG with a changed byte", damaged, "damaged"],
  ["PNG without its pixels", short, "damaged"],
  ["PNG that ends too early", png(40, 40).subarray(0, -20), "cut off or damaged"],
  ["PNG that is only a signature", png(1, 1).subarray(0, 10), "cut off or damaged"],
  ["PNG without a pixel", png(0, 4), "no pixels"],
  ["PNG that is too wide", png(2001, 1), "2001 x 1 pixels, and no edge may be longer than 2000; make a smaller copy"],
  ["PNG that is too heavy", Buffer.concat([png(1, 1), Buffer.alloc(4_000_000)]), "more than 3670016 bytes"],
  ["JPEG that ends too early", JPEG.subarray(0, -2), "cut off"],
  ["JPEG without a frame", JPEG.subarray(0, 20), "cut off or damaged"],
  ["GIF of two pictures", twice, "moves"],
  ["GIF that ends too early", GIF.subarray(0, -1), "cut off or damaged"],
  ["WebP that ends too early", WEBP.subarray(0, -3), "cut off"],
  ["WebP that moves", moving, "moves"],
  ["AVIF", Buffer.from("\0\0\0\x20ftypavif\0\0\0\0", "latin1"), "only PNG, JPEG, GIF and WebP"],
])("a %s is refused with the reason", (_, bytes, why) => {
  expect(readImage(bytes)).toEqual({ kind: "refused", why: expect.stringContaining(why) });
});

test("bytes of any kind are an image or are not, and never an error", () => {
  let seed = 7;
  const random = (max: number) => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) % max;
  for (const original of [png(9, 9), JPEG, GIF, WEBP, WEBP_LOSSLESS]) {
    for (let i = 0; i < 400; i++) {
      const bytes = Buffer.from(original.subarray(0, 1 + random(original.length)));
      for (let j = random(6); j > 0; j--) bytes[random(bytes.length)] = random(256);
      expect(["image", "refused", undefined]).toContain(readImage(bytes)?.kind);
    }
  }
});

test.each(["read", "edit"])("%s shows an image as one, and again only when it has changed", async (tool) => {
  await using bench = await openWorkbench({ sees: true, files: { "a.png": png(8, 4), "b.gif": GIF } });
  const look = async (path: string) => {
    const input = tool === "read" ? { files: [path] } : { command: "view", path };
    return (await bench.dispatch([[tool, input]])).observations[0];
  };
  const image = { mediaType: "image/png", width: 8, height: 4, base64: png(8, 4).toString("base64") };
  const text = "[image/png of 8 x 4 pixels]";
  expect(await look("a.png")).toEqual({ callId: "call-0", text, isError: false, images: [image] });
  const again = "[image/png of 8 x 4 pixels, the same as one that you were shown before]";
  expect(await look("a.png")).toEqual({ callId: "call-0", text: again, isError: false });
  await bench.write("a.png", png(8, 5));
  expect((await look("a.png"))?.images).toHaveLength(1);
  bench.toolset.forget();
  expect((await look("a.png"))?.images).toHaveLength(1);
});

test("read shows several images and texts in one call, in their order", async () => {
  await using bench = await openWorkbench({ sees: true, files: { "a.png": png(8, 4), "b.gif": GIF, c: "see\n" } });
  const { observations } = await bench.dispatch([["read", { files: ["a.png", "c", "b.gif"] }]]);
  expect(observations[0]?.text).toBe(
    "== a.png\n[image/png of 8 x 4 pixels]\n\n== c\n     1\tsee\n\n== b.gif\n[image/gif of 1 x 1 pixels]",
  );
  expect(observations[0]?.images?.map(({ mediaType }) => mediaType)).toEqual(["image/png", "image/gif"]);
});

test("a model that cannot see is told what the file is", async () => {
  await using bench = await openWorkbench({ files: { "a.png": png(8, 4) } });
  const why = `it is a binary file (a PNG image, ${png(8, 4).length} bytes).`;
  expect(await bench.call("read", { files: ["a.png"] })).toBe(`error: Cannot read "a.png": ${why}`);
  expect(await bench.call("edit", { command: "view", path: "a.png" })).toBe(`error: Cannot view "a.png": ${why}`);
});

test.each([
  [true, "/usr/bin/chromium", true],
  [true, null, false],
  [false, "/usr/bin/chromium", false],
])("a model that sees (%s), with the browser %s, may ask for a page: %s", async (sees, browser, may) => {
  await using bench = await openWorkbench({ sees, browser });
  expect(bench.toolset.specs.some(({ name }) => name === "screenshot")).toBe(may);
});

test("an album is full after twenty images or ten megabytes, and empty when it was forgotten", () => {
  const album = openAlbum();
  const image = (n: number, chars = 10) => {
    const base64 = String(n).padEnd(chars, "A");
    return { mediaType: "image/png", width: 10, height: 10, base64 } as const;
  };
  const kinds = Array.from({ length: 22 }, (_, n) => album.show(image(n)).kind);
  expect(kinds).toEqual([...new Array<string>(20).fill("shown"), "full", "full"]);
  expect(album.show(image(3)).kind).toBe("known");
  album.forget();
  expect([3, 4, 5].map((n) => album.show(image(n, 4_000_000)).kind)).toEqual(["shown", "shown", "full"]);
});
