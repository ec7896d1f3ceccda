/** What a model's name says of what it takes. The vendors answer 400 to what a model does not know, so unknown names get what the newest take. */
import type { Effort, ImageRule, Quirks } from "./model.ts";

const ALL: readonly Effort[] = ["low", "medium", "high", "xhigh", "max"];

/** By the vendors' pages on effort and adaptive thinking, read 2026-11-21; what they left open was set to the smaller choice. */
export function claudeQuirks(name: string): Quirks {
  // 4.5 and older answer 400 to adaptive thinking.
  const thinks = !/^claude-(3|(opus|sonnet|haiku)-4(-[0-5])?$)/.test(name);
  const images = claudeImages(name);
  return {
    thinks,
    efforts: claudeEfforts(name),
    patchTool: "function",
    shellTool: "native",
    breakpoints: true,
    images,
  };
}

/** Patches of 28 pixels (platform.claude.com/docs, vision, read 2026-11-21); larger images are seen from Opus 4.7 on. */
function claudeImages(name: string): ImageRule {
  const isLarge = !/^claude-(3|(opus|sonnet|haiku)-4(-[0-6])?$)/.test(name);
  const [edgePx, patchesMax] = isLarge ? [2576, 4784] : [1568, 1568];
  return { kind: "patches", patchPx: 28, edgePx, patchesMax, factor: 1 };
}

function claudeEfforts(name: string): readonly Effort[] {
  if (/^claude-opus-4-5$/.test(name)) return ["low", "medium", "high"];
  if (/^claude-(3|(opus|sonnet|haiku)-4(-[0-5])?$)/.test(name)) return [];
  if (/^claude-(opus|sonnet)-4-/.test(name)) return ["low", "medium", "high", "max"];
  return ALL;
}

export function gptQuirks(name: string): Quirks {
  // Older models answer 400 to a request for encrypted reasoning.
  const thinks = !/^(gpt-[34]|chatgpt)/.test(name);
  return {
    thinks,
    efforts: thinks ? gptEfforts(name) : [],
    patchTool: patchToolOf(name),
    shellTool: shellToolOf(name),
    // They came with gpt-5.6; older models cache by themselves.
    breakpoints: /^gpt-(5\.[6-9]|[6-9])/.test(name),
    images: gptImages(name),
  };
}

/**
 * At detail "high", by the vendor's guide to images and vision (developers.openai.com): tiles up to gpt-5.3, patches in small models
 * and from gpt-5.4 on. Names it says nothing of count as the newest do.
 */
function gptImages(name: string): ImageRule | null {
  if (/^(gpt-3|gpt-oss|gpt-4(-0|$)|o1-mini|o3-mini)/.test(name)) return null;
  const factor = SMALL_FACTORS.find(([pattern]) => pattern.test(name))?.[1];
  if (factor !== undefined) return { kind: "patches", patchPx: 32, edgePx: 2048, patchesMax: 1536, factor };
  if (/^o\d/.test(name)) return { kind: "tiles", base: 75, perTile: 150 };
  if (/^(gpt-4|chatgpt)/.test(name)) return { kind: "tiles", base: 85, perTile: 170 };
  if (/^gpt-5(\.[0-3])?(-|$)/.test(name)) return { kind: "tiles", base: 70, perTile: 140 };
  return { kind: "patches", patchPx: 32, edgePx: 2048, patchesMax: 2500, factor: 1 };
}

const SMALL_FACTORS: readonly (readonly [RegExp, number])[] = [
  [/^gpt-(4\.1|5(\.\d)?)-mini/, 1.62],
  [/^gpt-(4\.1|5(\.\d)?)-nano/, 2.46],
  [/^o4-mini/, 1.72],
];

function gptEfforts(name: string): readonly Effort[] {
  if (/^gpt-(5\.[6-9]|[6-9])/.test(name)) return ALL;
  return /^gpt-5\.[2-5]/.test(name) ? ["low", "medium", "high", "xhigh"] : ["low", "medium", "high"];
}

/**
 * The vendor's page on its apply_patch tool names gpt-5.1 as what it was made for; codex offers gpt-5 and everything newer the
 * free-form tool, which takes several files in one call. Models from before gpt-5, and open ones, know functions only.
 */
function patchToolOf(name: string): Quirks["patchTool"] {
  if (/^gpt-5\.1(-|$)/.test(name)) return "native";
  return /^(gpt-[34]|chatgpt|gpt-oss|o\d)/.test(name) ? "function" : "grammar";
}

/**
 * The models that the vendor's guide to its shell tool named (developers.openai.com/api/docs/guides/tools-shell, an edition of early
 * 2026); of gpt-5.1 its guide says that it was trained on it. Later editions name none and show gpt-5.4 to gpt-5.6, which take the tool;
 * codex offers functions to all of them. gpt-5, gpt-4.1 and gpt-4o answer 400. Read 2026-11-21.
 */
function shellToolOf(name: string): Quirks["shellTool"] {
  return /^gpt-5\.[12](-codex)?$/.test(name) ? "native" : "function";
}

/** Servers behind the Chat Completions wire differ too much to be asked for more than functions. */
export const PLAIN_QUIRKS: Quirks = {
  thinks: false,
  efforts: [],
  patchTool: "function",
  shellTool: "function",
  breakpoints: false,
  images: null,
};

/** Open models that see count patches of this size or larger (Qwen-VL); how far they scale down is each server's own. */
export const OPEN_IMAGES: ImageRule = { kind: "patches", patchPx: 28, edgePx: 2576, patchesMax: 4784, factor: 1 };

/** The level to ask for: the wished one, else the nearest below it, else the lowest the model has. */
export function effortFor(wish: Effort | null | undefined, { efforts }: Quirks): Effort | null {
  if (!wish) return null;
  const upTo = ALL.slice(0, ALL.indexOf(wish) + 1);
  return upTo.findLast((level) => efforts.includes(level)) ?? efforts[0] ?? null;
}
