/** Images in requests: what both vendors look at before a model does. Reads sizes by itself, so that an adapter's reading is not its own judge. */
import { createHash } from "node:crypto";
import { inflateSync } from "node:zlib";

export type WireImage = {
  readonly mediaType: string;
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
};

const KINDS: readonly (readonly [mediaType: string, head: RegExp])[] = [
  ["image/png", /^\x89PNG\r\n\x1a\n/],
  ["image/jpeg", /^\xff\xd8\xff/],
  ["image/gif", /^GIF8[79]a/],
  ["image/webp", /^RIFF[^]{4}WEBP/],
];

/** Null for what is no base64 of an image that can be opened. `mediaType` is what the bytes say. */
export function openImage(base64: string): WireImage | null {
  const bytes = Buffer.from(base64, "base64");
  if (bytes.length === 0 || bytes.toString("base64") !== base64) return null;
  const head = bytes.toString("latin1", 0, 16);
  const mediaType = KINDS.find(([, pattern]) => pattern.test(head))?.[0];
  if (mediaType === undefined) return null;
  if (mediaType !== "image/png") return { mediaType, width: 1000, height: 1000, bytes: bytes.length };
  const size = pngSize(bytes);
  return size && { mediaType, ...size, bytes: bytes.length };
}

function pngSize(bytes: Buffer): { readonly width: number; readonly height: number } | null {
  const packed: Buffer[] = [];
  try {
    for (let at = 8; at < bytes.length; at += 12 + bytes.readUInt32BE(at)) {
      if (bytes.toString("latin1", at + 4, at + 8) === "IDAT") {
        packed.push(bytes.subarray(at + 8, at + 8 + bytes.readUInt32BE(at)));
      }
    }
    inflateSync(Buffer.concat(packed));
    return { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
  } catch {
    return null;
  }
}

const DATA_URL = /^data:(image\/[a-z]+);base64,(.*)$/s;

export function readDataUrl(url: string): { readonly mediaType: string; readonly base64: string } | null {
  const [, mediaType, base64] = DATA_URL.exec(url) ?? [];
  return mediaType === undefined || base64 === undefined ? null : { mediaType, base64 };
}

/** Of a token of text, as the counting has it. */
const BYTES_PER_TOKEN = 4;

/** For JSON.stringify: an image weighs what its pixels weigh, not what its base64 does, and is still another than any other. */
export function weighImages(key: string, value: unknown): unknown {
  if (typeof value !== "string") return value;
  const base64 = key === "data" ? value : readDataUrl(value)?.base64;
  const image = base64 === undefined ? null : openImage(base64);
  if (base64 === undefined || !image) return value;
  const hash = createHash("sha256").update(base64).digest("base64url");
  const tokens = Math.ceil(image.width / 28) * Math.ceil(image.height / 28);
  return hash + "x".repeat(Math.max(0, tokens * BYTES_PER_TOKEN - hash.length));
}
