/**
 * Which image a file is and how large, by its bytes alone. A vendor refuses every request that holds an image it cannot read, so the
 * structure of a file is walked to its end: what is cut off, empty or moves is told apart from what can be shown. SVG is text.
 */
import { crc32, inflateSync } from "node:zlib";
import type { Image } from "../journal.ts";

/** With its article ("a PNG"); null for what is no image we know. */
export function imageFormat(bytes: Buffer): string | null {
  const head = bytes.toString("latin1", 0, 16);
  return FORMATS.find(([, pattern]) => pattern.test(head))?.[0] ?? null;
}

/** Signatures: MIME sniffing (mimesniff.spec.whatwg.org, 6.1), TIFF 6.0, ISO base media files (AVIF, HEIC). */
const FORMATS: readonly (readonly [name: string, pattern: RegExp])[] = [
  ["a PNG", /^\x89PNG\r\n\x1a\n/],
  ["a JPEG", /^\xff\xd8\xff/],
  ["a GIF", /^GIF8[79]a/],
  ["a WebP", /^RIFF[^]{4}WEBPVP/],
  ["a BMP", /^BM[^]{4}\0\0\0\0/],
  ["an ICO", /^\0\0[\x01\x02]\0/],
  ["a TIFF", /^(?:II\*\0|MM\0\*)/],
  ["an AVIF", /^[^]{4}ftypavi[fs]/],
  ["a HEIC", /^[^]{4}ftyp(?:hei[cx]|mif1)/],
];

export type Size = Pick<Image, "mediaType" | "width" | "height">;
export type Measured = ({ readonly kind: "image" } & Size) | { readonly kind: "broken"; readonly why: string };

/** Null for a format that no vendor takes. `edgeMax` bounds what is unpacked to be checked. */
export function measureImage(bytes: Buffer, edgeMax: number): Measured | null {
  const measure = MEASURES.get(imageFormat(bytes) ?? "");
  if (!measure) return null;
  try {
    return measure(bytes, edgeMax);
  } catch (error) {
    // Past the end of the file, or what zlib says of a damaged stream.
    if (error instanceof RangeError || (error instanceof Error && "code" in error))
      return broken("it is cut off or damaged");
    throw error;
  }
}

const MEASURES: ReadonlyMap<string, (bytes: Buffer, edgeMax: number) => Measured> = new Map([
  ["a PNG", measurePng],
  ["a JPEG", measureJpeg],
  ["a GIF", measureGif],
  ["a WebP", measureWebp],
]);

function found(mediaType: Image["mediaType"], width: number, height: number): Measured {
  return width > 0 && height > 0 ? { kind: "image", mediaType, width, height } : broken("it has no pixels");
}

function broken(why: string): Measured {
  return { kind: "broken", why };
}

/** Samples of a pixel by colour type (PNG, 11.2.1). */
const PNG_SAMPLES: ReadonlyMap<number, number> = new Map([
  [0, 1],
  [2, 3],
  [3, 1],
  [4, 2],
  [6, 4],
]);

/** Length, kind, content and checksum of each chunk; the pixels are unpacked, which is where a cut-off file shows. */
function measurePng(bytes: Buffer, edgeMax: number): Measured {
  const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
  const bits = bytes.readUInt8(24) * (PNG_SAMPLES.get(bytes.readUInt8(25)) ?? 0);
  if (bits === 0 || bytes.toString("latin1", 12, 16) !== "IHDR") return broken("it is damaged");
  const isInterlaced = bytes.readUInt8(28) !== 0;
  const packed: Buffer[] = [];
  let kind = "";
  for (let at = 8; kind !== "IEND";) {
    const end = at + 8 + bytes.readUInt32BE(at);
    kind = bytes.toString("latin1", at + 4, at + 8);
    if (crc32(bytes.subarray(at + 4, end)) !== bytes.readUInt32BE(end)) return broken("it is damaged");
    if (kind === "IDAT") packed.push(bytes.subarray(at + 8, end));
    at = end + 4;
  }
  const size = found("image/png", width, height);
  if (size.kind === "broken" || Math.max(width, height) > edgeMax) return size;
  const wanted = height * (1 + Math.ceil((width * bits) / 8));
  // Interlaced, each of seven passes has lines of its own.
  const unpacked = inflateSync(Buffer.concat(packed), { maxOutputLength: wanted + 16 * edgeMax });
  return isInterlaced || unpacked.length >= wanted ? size : broken("it is damaged");
}

/** Segments up to the first scan; one of them tells the size (ITU-T T.81, annex B). */
function measureJpeg(bytes: Buffer): Measured {
  let size = broken("it has no pixels");
  for (let at = 2; ;) {
    while (bytes.readUInt8(at) === 0xff && bytes.readUInt8(at + 1) === 0xff) at += 1;
    if (bytes.readUInt8(at) !== 0xff) return broken("it is damaged");
    const marker = bytes.readUInt8(at + 1);
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) size = found("image/jpeg", bytes.readUInt16BE(at + 7), bytes.readUInt16BE(at + 5));
    if (marker === 0xda) return bytes.indexOf("\xff\xd9", at, "latin1") === -1 ? broken("it is cut off") : size;
    if (marker === 0xd9) return size;
    at += 2 + bytes.readUInt16BE(at + 2);
  }
}

/** Blocks to the trailer (GIF89a, section 17 ff.); a second picture makes it move. */
function measureGif(bytes: Buffer): Measured {
  const tableBytes = (flags: number) => ((flags & 0x80) === 0 ? 0 : 3 * 2 ** ((flags & 0x07) + 1));
  let pictures = 0;
  for (let at = 13 + tableBytes(bytes.readUInt8(10)); bytes.readUInt8(at) !== 0x3b;) {
    const block = bytes.readUInt8(at);
    if (block !== 0x2c && block !== 0x21) return broken("it is damaged");
    if (block === 0x2c) pictures += 1;
    at += block === 0x2c ? 11 + tableBytes(bytes.readUInt8(at + 9)) : 2;
    for (let length = bytes.readUInt8(at); length > 0; length = bytes.readUInt8(at)) at += 1 + length;
    at += 1;
  }
  if (pictures > 1) return broken("it moves, and only still images are taken");
  return pictures === 0 ? broken("it has no pixels") : found("image/gif", bytes.readUInt16LE(6), bytes.readUInt16LE(8));
}

/** The chunk that holds the picture (RFC 9649); a file with more than one announces that it moves. */
function measureWebp(bytes: Buffer): Measured {
  const end = 8 + bytes.readUInt32LE(4);
  if (end > bytes.length) return broken("it is cut off");
  for (let at = 12; at < end;) {
    const kind = bytes.toString("latin1", at, at + 4);
    const content = at + 8;
    if (kind === "VP8X" && (bytes.readUInt8(content) & 0x02) !== 0)
      return broken("it moves, and only still images are taken");
    if (kind === "VP8 ") {
      return found("image/webp", bytes.readUInt16LE(content + 6) & 0x3fff, bytes.readUInt16LE(content + 8) & 0x3fff);
    }
    if (kind === "VP8L") {
      const packed = bytes.readUInt32LE(content + 1);
      return found("image/webp", (packed & 0x3fff) + 1, ((packed >>> 14) & 0x3fff) + 1);
    }
    const length = bytes.readUInt32LE(at + 4);
    at = content + length + (length % 2);
  }
  return broken("it has no pixels");
}
