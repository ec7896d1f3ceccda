/** Bytes -> an image that may be shown: of a format, a size and a weight that every vendor takes. */
import type { Image } from "../journal.ts";
import { imageFormat, measureImage } from "./image-format.ts";

/**
 * Anthropic refuses larger edges in a request with more than twenty images (8,000 below that), and neither vendor looks at more pixels
 * than that anyway.
 */
export const IMAGE_EDGE_MAX = 2000;
/** Anthropic's limit is 5 MB of base64, Bedrock's 3.75 MB of bytes. */
export const IMAGE_BYTES_MAX = 3.5 * 1024 * 1024;

export type ImageRead =
  { readonly kind: "image"; readonly image: Image } | { readonly kind: "refused"; readonly why: string };

/** Null for what is no image. */
export function readImage(bytes: Buffer): ImageRead | null {
  if (imageFormat(bytes) === null) return null;
  const refused = (why: string): ImageRead => ({ kind: "refused", why });
  if (bytes.length > IMAGE_BYTES_MAX) return refused(`it has more than ${IMAGE_BYTES_MAX} bytes; ${REMEDY}`);
  const measured = measureImage(bytes, IMAGE_EDGE_MAX);
  if (measured === null) return refused(`only PNG, JPEG, GIF and WebP can be shown; ${REMEDY}`);
  if (measured.kind === "broken") return refused(measured.why);
  const { mediaType, width, height } = measured;
  if (Math.max(width, height) > IMAGE_EDGE_MAX) {
    return refused(`it has ${width} x ${height} pixels, and no edge may be longer than ${IMAGE_EDGE_MAX}; ${REMEDY}`);
  }
  return { kind: "image", image: { mediaType, width, height, base64: bytes.toString("base64") } };
}

const REMEDY = "make a smaller copy with the shell, if the sandbox has a program for it";
