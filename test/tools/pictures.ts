/** Small images of each kind, and enough of PNG to make one and to look at a pixel of another. */
import { crc32, deflateSync, inflateSync } from "node:zlib";

const bytes = (base64: string) => Buffer.from(base64, "base64");

/** 16 x 12, as Chromium wrote it. */
export const JPEG = bytes(
  "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAYEBQYFBAYGBQYHBwYIChAKCgkJChQODwwQFxQYGBcUFhYaHSUfGhsjHBYWICwgIyYn" +
    "KSopGR8tMC0oMCUoKSj/2wBDAQcHBwoIChMKChMoGhYaKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgo" +
    "KCgoKCgoKCj/wAARCAAMABADASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAb/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/8QA" +
    "FQEBAQAAAAAAAAAAAAAAAAAABQf/xAAUEQEAAAAAAAAAAAAAAAAAAAAA/9oADAMBAAIRAxEAPwCCACLA/9k=",
);
/** 1 x 1. */
export const GIF = bytes("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7");
/** 1 x 1, lossy and lossless. */
export const WEBP = bytes("UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA");
export const WEBP_LOSSLESS = bytes("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==");

type Colour = readonly [red: number, green: number, blue: number];

const SIGNATURE = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");

/** One colour, 8 bits a sample. */
export function png(width: number, height: number, [red, green, blue]: Colour = [0, 0, 255]): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const line = Buffer.concat([Buffer.from([0]), Buffer.alloc(width * 3, Buffer.from([red, green, blue]))]);
  const pixels = deflateSync(Buffer.concat(new Array<Buffer>(height).fill(line)));
  return Buffer.concat([SIGNATURE, chunk("IHDR", header), chunk("IDAT", pixels), chunk("IEND", Buffer.alloc(0))]);
}

export function chunk(kind: string, content: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(kind, "latin1"), content]);
  const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(content.length);
  checksum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, checksum]);
}

/** Of an image with 8 bits a sample, in RGB or RGBA and not interlaced, as browsers write them. */
export function pixelAt(image: Buffer, x: number, y: number): Colour {
  const packed: Buffer[] = [];
  for (let at = 8; at < image.length; at += 12 + image.readUInt32BE(at)) {
    const content = image.subarray(at + 8, at + 8 + image.readUInt32BE(at));
    if (image.toString("latin1", at + 4, at + 8) === "IDAT") packed.push(content);
  }
  const samples = image[25] === 6 ? 4 : 3;
  const stride = image.readUInt32BE(16) * samples;
  const lines = inflateSync(Buffer.concat(packed));
  let above = Buffer.alloc(stride);
  for (let row = 0; ; row++) {
    const start = row * (stride + 1);
    const line = unfilter(lines[start] ?? 0, lines.subarray(start + 1, start + 1 + stride), { above, samples });
    if (row === y) {
      const [red = 0, green = 0, blue = 0] = line.subarray(x * samples);
      return [red, green, blue];
    }
    above = line;
  }
}

type Neighbours = { readonly above: Buffer; readonly samples: number };

function unfilter(filter: number, line: Buffer, { above, samples }: Neighbours): Buffer<ArrayBuffer> {
  const out = Buffer.alloc(line.length);
  for (let i = 0; i < line.length; i++) {
    const [left, up, corner] = [out[i - samples] ?? 0, above[i] ?? 0, i < samples ? 0 : (above[i - samples] ?? 0)];
    const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter] ?? 0;
    out[i] = (line[i] ?? 0) + guess;
  }
  return out;
}

function paeth(left: number, up: number, corner: number): number {
  const distance = (one: number) => Math.abs(left + up - corner - one);
  return [left, up, corner].toSorted((a, b) => distance(a) - distance(b))[0] ?? 0;
}
