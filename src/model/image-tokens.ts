/** What images weigh in a window, and what stands for them where they cannot be shown. Pure; knows no vendor's wire. */
import type { Image } from "../journal.ts";
import type { ImageRule, Message } from "./model.ts";

/** OpenAI's tiles: the image is first made to fit a square, then its shorter edge is made this long at most. */
const TILES = { squarePx: 2048, shortPx: 768, tilePx: 512 } as const;

export function imageTokens({ width, height }: Pick<Image, "width" | "height">, rule: ImageRule): number {
  switch (rule.kind) {
    case "patches": {
      const patches = cells(fitInto({ width, height }, rule.edgePx), rule.patchPx);
      return Math.ceil(Math.min(patches, rule.patchesMax) * rule.factor);
    }
    case "tiles": {
      const scaled = fitInto({ width, height }, TILES.squarePx);
      const factor = Math.min(1, TILES.shortPx / Math.min(scaled.width, scaled.height));
      const tiles = cells({ width: scaled.width * factor, height: scaled.height * factor }, TILES.tilePx);
      return rule.base + tiles * rule.perTile;
    }
  }
}

type Size = { readonly width: number; readonly height: number };

function fitInto({ width, height }: Size, edgePx: number): Size {
  const factor = Math.min(1, edgePx / Math.max(width, height));
  return { width: width * factor, height: height * factor };
}

function cells({ width, height }: Size, edge: number): number {
  return Math.ceil(width / edge) * Math.ceil(height / edge);
}

export function imagesOf(message: Message): readonly Image[] {
  return message.kind === "observations" ? message.observations.flatMap(({ images = [] }) => images) : [];
}

/** Bytes of the message as JSON without its images, whose base64 says nothing about their weight. */
export function textBytes(message: Message): number {
  const hasImages = imagesOf(message).length > 0; // The way around them is ten times slower.
  const withoutImages = (key: string, value: unknown) => (key === "base64" ? "" : value);
  return Buffer.byteLength(hasImages ? JSON.stringify(message, withoutImages) : JSON.stringify(message));
}

/** Of all images of the message; a model that cannot see them gets a line for each. */
export function imageTokensOf(message: Message, rule: ImageRule | null): number {
  return imagesOf(message).reduce((sum, image) => sum + (rule ? imageTokens(image, rule) : LINE_TOKENS), 0);
}

const LINE_TOKENS = 20;

/** What a model that cannot see reads in an image's place; "" for none. */
export function describeUnseen(images: readonly Image[] = []): string {
  return images.map((image) => `\n[${describeImage(image)}, which you cannot be shown]`).join("");
}

export function describeImage({ mediaType, width, height }: Image): string {
  return `${mediaType} of ${width} x ${height} pixels`;
}

export function dataUrl({ mediaType, base64 }: Image): string {
  return `data:${mediaType};base64,${base64}`;
}
