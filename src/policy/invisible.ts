/** Characters that a reader does not see and a model does: used to hide instructions, and to slip past filters. */

export type WithoutInvisible = { readonly text: string; readonly removed: readonly string[] };

/** Scripts whose spelling needs the zero-width joiner and non-joiner between letters. */
const JOINED = [
  ...["Arabic", "Bengali", "Devanagari", "Gujarati", "Gurmukhi", "Kannada", "Khmer", "Malayalam", "Mongolian"],
  ...["Myanmar", "Oriya", "Sinhala", "Syriac", "Tamil", "Telugu", "Tibetan"],
]
  .map((script) => `\\p{Script=${script}}`)
  .join("");

type Rule = { readonly name: string; readonly pattern: RegExp };

/** In this order: what is cut by one rule is not seen by the next. */
const RULES: readonly Rule[] = [
  // Flags of England, Scotland and Wales are spelled with them; no text needs those as much as it needs to be read.
  { name: "tag characters", pattern: /[\u{E0000}-\u{E007F}]/gu },
  { name: "bidi controls", pattern: /[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu },
  // One selector of text or emoji style after a character that has both, one ideographic variant after an ideograph.
  {
    name: "variation selectors",
    pattern:
      /(?<!\p{Emoji})[\uFE0E\uFE0F]|[\uFE00-\uFE0D]|(?<!\p{Script=Han})[\u{E0100}-\u{E01EF}]|[\u180B-\u180D\u180F]/gu,
  },
  // Joiners stand in emoji (after a picture, its style or its skin) and between letters of the scripts above.
  {
    name: "zero-width characters",
    pattern: new RegExp(
      `(?<![\\p{Extended_Pictographic}\\uFE0F\\p{Emoji_Modifier}${JOINED}])[\\u200C\\u200D]|[\\u200C\\u200D](?![\\p{Extended_Pictographic}${JOINED}])|` +
        "[\\u00AD\\u034F\\u115F\\u1160\\u17B4\\u17B5\\u180E\\u200B\\u2060-\\u2065\\u206A-\\u206F\\u2800\\u3164\\uFEFF\\uFFA0\\uFFF9-\\uFFFB\\u{1D173}-\\u{1D17A}]",
      "gu",
    ),
  },
  // Tab and line ends stay.
  { name: "control characters", pattern: /[\0-\x08\x0B\x0C\x0E-\x1F\x7F-\x9F]/gu },
];

/** `removed` names each kind that was found. Line ends become `\n`. */
export function removeInvisible(original: string): WithoutInvisible {
  const removed: string[] = [];
  // A lone surrogate is no character; a later cut or an API would choke on it.
  let text = original.toWellFormed().replaceAll(/\r\n?|[\u2028\u2029]/g, "\n");
  for (const { name, pattern } of RULES) {
    const without = text.replaceAll(pattern, "");
    if (without !== text) removed.push(name);
    text = without;
  }
  return { text, removed };
}
