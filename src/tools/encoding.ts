/**
 * A file's bytes as text and back, byte for byte: UTF-8, UTF-16 with a byte-order mark, and Windows-1252 for what is neither and still
 * is text. Text that an encoding cannot hold is refused, never replaced.
 */
import { imageFormat } from "./image-format.ts";

/** Windows-1252 holds all of Latin-1's letters, and any byte is a character of it: whatever was not touched comes back. */
export type Encoding = "utf-8" | "utf-16le" | "utf-16be" | "windows-1252";

export type Decoded =
  | { readonly kind: "text"; readonly text: string; readonly encoding: Encoding }
  | { readonly kind: "binary"; readonly why: string };

export type Encoded =
  { readonly kind: "bytes"; readonly bytes: Buffer } | { readonly kind: "refused"; readonly why: string };

const BYTE_ORDER_MARK = "\uFEFF";
/** What text files of the eight-bit days hold: tab, the line ends, form feed, escape, and DOS's end of file. */
const ODD_CONTROL = /[\u0000-\u0007\u000e-\u0019\u001c-\u001f\u007f]/;
/** Windows-1252's 0x80 to 0x9f; its five free places are control characters of the same number (encoding.spec.whatwg.org). */
const HIGH_WINDOWS = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ";

export function decodeText(bytes: Buffer): Decoded {
  const marked = decodeMarked(bytes);
  if (marked) return marked;
  if (bytes.includes(0)) return { kind: "binary", why: whyImage(bytes) ?? "it holds NUL bytes" };
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return { kind: "text", text, encoding: "utf-8" };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  const image = whyImage(bytes);
  if (image !== null) return { kind: "binary", why: image };
  const latin = bytes.toString("latin1");
  if (ODD_CONTROL.test(latin)) return { kind: "binary", why: "it is not UTF-8 and holds control characters" };
  const text = latin.replace(/[\u0080-\u009f]/g, (one) => HIGH_WINDOWS[one.charCodeAt(0) - 0x80] ?? one);
  return { kind: "text", text, encoding: "windows-1252" };
}

function whyImage(bytes: Buffer): string | null {
  const format = imageFormat(bytes);
  return format === null ? null : `${format} image`;
}

/** Null for what has no UTF-16 mark. A character of two halves is kept even when one is missing. */
function decodeMarked(bytes: Buffer): Decoded | null {
  const isLittle = bytes[0] === 0xff && bytes[1] === 0xfe;
  const isBig = bytes[0] === 0xfe && bytes[1] === 0xff;
  if (!isLittle && !isBig) return null;
  if (bytes.length % 2 === 1) return { kind: "binary", why: "it begins as UTF-16 and ends in half a character" };
  const text = (isLittle ? bytes : Buffer.from(bytes).swap16()).toString("utf16le");
  // The mark of UTF-32 begins like that of UTF-16 and goes on with zeros.
  if (text.includes("\u0000")) return { kind: "binary", why: "it begins as UTF-16 and holds NUL characters" };
  return { kind: "text", text, encoding: isLittle ? "utf-16le" : "utf-16be" };
}

/** `why` tells how to go on. */
export function encodeText(text: string, encoding: Encoding): Encoded {
  switch (encoding) {
    case "utf-8":
      return { kind: "bytes", bytes: Buffer.from(text) };
    case "utf-16le":
      return { kind: "bytes", bytes: encodeMarked(text) };
    case "utf-16be":
      return { kind: "bytes", bytes: encodeMarked(text).swap16() };
    case "windows-1252":
      return encodeWindows(text);
  }
}

/** Without its mark the file would be no text to anybody. */
function encodeMarked(text: string): Buffer {
  return Buffer.from(text.startsWith(BYTE_ORDER_MARK) ? text : BYTE_ORDER_MARK + text, "utf16le");
}

function encodeWindows(text: string): Encoded {
  const latin = text.replace(/[^\u0000-\u007f\u00a0-\u00ff]/gu, (one) => {
    const at = HIGH_WINDOWS.indexOf(one);
    return at === -1 ? one : String.fromCharCode(0x80 + at);
  });
  const strange = /[^\u0000-\u00ff]/u.exec(latin)?.[0];
  if (strange === undefined) return { kind: "bytes", bytes: Buffer.from(latin, "latin1") };
  const number = (strange.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
  const remedy = "Use characters it has, or make the file UTF-8 first: iconv -f WINDOWS-1252 -t UTF-8";
  return { kind: "refused", why: `its encoding is Windows-1252, which has no "${strange}" (U+${number}). ${remedy}` };
}
