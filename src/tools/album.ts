/** The images that a conversation holds: how many and how heavy they are together, and which need not be shown again. */
import { createHash } from "node:crypto";
import type { Image } from "../journal.ts";
import { describeImage } from "../model/image-tokens.ts";

/** What goes to the model for one image: a line, and the image itself unless it was seen already or there is no room. */
export type Page = {
  readonly kind: "shown" | "known" | "full";
  readonly text: string;
  readonly images: readonly Image[];
};

export type Album = {
  readonly show: (image: Image) => Page;
  /** What was shown is no longer in the model's window. */
  readonly forget: () => void;
};

/** As many as Anthropic takes without further limits. */
const IMAGES_MAX = 20;
/**
 * Of base64. Every turn sends all of them again, and Anthropic takes requests of 32 MB: what is left of an album after it was forgotten
 * has room in it too.
 */
const ALBUM_BYTES_MAX = 10 * 1024 * 1024;

export function openAlbum(): Album {
  let bytes = 0;
  const seen = new Set<string>();
  return {
    show(image) {
      const what = describeImage(image);
      const hash = createHash("sha256").update(image.base64).digest("base64");
      if (seen.has(hash))
        return { kind: "known", text: `[${what}, the same as one that you were shown before]`, images: [] };
      if (seen.size >= IMAGES_MAX || bytes + image.base64.length > ALBUM_BYTES_MAX) {
        const text = `[${what}, not shown: you have been shown as many images as one conversation can hold]`;
        return { kind: "full", text, images: [] };
      }
      seen.add(hash);
      bytes += image.base64.length;
      return { kind: "shown", text: `[${what}]`, images: [image] };
    },
    forget() {
      bytes = 0;
      seen.clear();
    },
  };
}
