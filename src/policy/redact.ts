/**
 * The door to the outside: the only maker of PublicText. What leaves the house holds no secret that we know or can recognise,
 * nothing that cannot be seen, and nothing that acts by itself.
 */
import type { PublicText } from "../publication.ts";
import { removeInvisible } from "./invisible.ts";
import { neutralise } from "./neutralise.ts";

export type PublicOptions = {
  /** Our own keys and tokens, wherever they turn up. */
  readonly secrets: readonly string[];
  /** A login that may be mentioned, such as the asker's. */
  readonly mention?: string | null;
  /** The one issue that a closing keyword ("Fixes #1") may name, null for none. Left out, keywords stay as they are. */
  readonly closes?: number | null;
};

/** GitHub's limit for a body is 65,536 characters; the rest is for the marker that publish/ appends. */
const BODY_CHARS_MAX = 65_536 - 512;
/** GitHub's limit for the title of an issue or a pull request. */
const TITLE_CHARS_MAX = 256;
const CUT = "\n\n*Cut here: the rest is longer than GitHub accepts.*";
/** Each try is at least a fiftieth shorter, and usually the first or second fits. */
const CUT_TRIES_MAX = 40;

/** Markdown that may be published, at most as long as GitHub accepts; what was cut off is said. */
export function publicText(markdown: string, options: PublicOptions): PublicText {
  const { mention = null, closes, secrets } = options;
  const clean = redactSecrets(removeInvisible(markdown).text, secrets);
  let chars = Math.min(clean.length, BODY_CHARS_MAX);
  for (let tries = 0; tries < CUT_TRIES_MAX; tries++) {
    // Cut first, then made neutral: a cut through a code span would make text of what was code.
    const text = neutralise(cutAt(clean, chars), { mention, closes }) + (chars < clean.length ? CUT : "");
    if (text.length <= BODY_CHARS_MAX) return text as PublicText;
    chars = Math.floor(Math.min(chars * 0.98, chars * (BODY_CHARS_MAX / text.length)));
  }
  return CUT.trim() as PublicText;
}

/** One line, as GitHub shows a title: code in backticks, all other Markdown as it is typed. */
export function publicTitle(title: string, { secrets }: Pick<PublicOptions, "secrets">): PublicText {
  const line = redactSecrets(removeInvisible(title).text, secrets).replaceAll(/\s+/g, " ").trim();
  // A squash makes the title a commit's message, where a name is a call.
  const quiet = line.replaceAll(/(?<![\w`])@(?=\w)[\w./@-]*/g, "`$&`");
  return (quiet.length <= TITLE_CHARS_MAX ? quiet : `${cutAt(quiet, TITLE_CHARS_MAX - 1)}…`) as PublicText;
}

/** Appends our own HTML comment, which a reader does not see; `publicText` leaves room for it. */
export function withMarker(text: PublicText, marker: string): PublicText {
  return `${text}\n\n${marker}` as PublicText;
}

/** A secret shorter than this is no secret, and replacing it would spoil the text around. */
const SECRET_CHARS_MIN = 6;

const TOKENS = new RegExp(
  [
    String.raw`-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----[^]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|$(?![^]))`,
    String.raw`\b(?:gh[oprsu]_[A-Za-z0-9_-]{16,}(?:\.[A-Za-z0-9_-]{8,})*|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{20,})`,
    String.raw`\bsk-(?:ant-|proj-)[A-Za-z0-9_-]{8,}`,
    // A digit tells keys from words with dashes in them.
    String.raw`\b(?<![-_])sk-(?=[A-Za-z_-]{0,200}\d)[A-Za-z0-9_-]{20,}`,
    String.raw`\b(?:AKIA|ASIA)[A-Z0-9]{16}\b`,
    String.raw`\b(?:xox[a-z]|xapp)-[A-Za-z0-9-]{10,}`,
    String.raw`\bnpm_[A-Za-z0-9]{30,}`,
    String.raw`\bAIza[A-Za-z0-9_-]{35}`,
    String.raw`\beyJ[A-Za-z0-9_-]{8,1000}\.eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?`,
  ].join("|"),
  "g",
);

/** The text without the given secrets and without anything that has the shape of a well-known token. */
export function redactSecrets(text: string, secrets: readonly string[]): string {
  // The longest first: a shorter one inside it would leave the rest standing.
  const known = secrets.filter((secret) => secret.length >= SECRET_CHARS_MIN).sort((a, b) => b.length - a.length);
  const without = known.reduce((rest, secret) => rest.replaceAll(secret, () => "[redacted]"), text);
  return without.replaceAll(TOKENS, "[redacted]");
}

/** The first `chars` UTF-16 units, or one less where the cut would halve a character. */
function cutAt(text: string, chars: number): string {
  const isHalf = /[\uD800-\uDBFF]/.test(text.charAt(chars - 1)) && chars < text.length;
  return text.slice(0, isHalf ? chars - 1 : chars);
}
