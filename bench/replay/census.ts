/** What kind of repository a history is, so that "it holds on CRLF files" is a count and not a claim. */
import type { FileChange } from "./history.ts";

const TRAITS: readonly (readonly [name: string, has: (change: FileChange) => boolean])[] = [
  ["CRLF", (change) => hasText(change, /\r\n/)],
  ["mixed endings", (change) => hasText(change, /(?<!\r)\n/) && hasText(change, /\r\n/)],
  ["byte-order mark", (change) => hasText(change, /^\uFEFF/)],
  ["tab indentation", (change) => hasText(change, /^\t/m)],
  ["trailing space", (change) => hasText(change, /[ \t]\r?$/m)],
  ["no newline at the end", (change) => hasText(change, /[^\n]$(?!\n)/)],
  ["renamed", ({ kind }) => kind === "rename"],
];

function hasText({ before, after }: FileChange, pattern: RegExp): boolean {
  return [before, after].some((text) => text !== null && pattern.test(text));
}

export type Census = {
  readonly count: (change: FileChange) => void;
  readonly render: () => string;
};

export function openCensus(): Census {
  const counts = TRAITS.map(() => 0);
  let all = 0;
  return {
    count(change) {
      all += 1;
      for (const [i, [, has]] of TRAITS.entries()) counts[i] = (counts[i] ?? 0) + Number(has(change));
    },
    render: () => `${all} file changes: ${TRAITS.map(([name], i) => `${name} ${counts[i]}`).join(", ")}`,
  };
}
