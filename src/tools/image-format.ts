/** Which image a file is, by its first bytes: a model is told so instead of being shown letters that mean nothing. */

/** With its article ("a PNG"); null for what is no image we know. SVG is text, and read as such. */
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
