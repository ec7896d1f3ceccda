/** A day's money as a message for people: who spent it, on which models, and the dearest tasks. Pure. */
import type { Usage } from "../journal.ts";
import { renderUsd } from "../policy/spending.ts";
import type { CostlyTask, Spending } from "../store/spending.ts";

export type Digest = {
  /** The same digest has the same key. */
  readonly key: string;
  readonly kind: "digest";
  /** UTC, YYYY-MM-DD. */
  readonly day: string;
  readonly usd: number;
  readonly runs: number;
  readonly tokens: Usage;
  /** The dearest first, at most REPOSITORIES_MAX. */
  readonly repositories: readonly RepositoryDay[];
  /** How many repositories are left out above. */
  readonly more: number;
  readonly dearest: readonly DearTask[];
};

type RepositoryDay = {
  readonly repository: string;
  readonly usd: number;
  readonly runs: number;
  readonly tokens: Usage;
  readonly models: readonly { readonly model: string; readonly usd: number; readonly tokens: Usage }[];
};

/** `name` is "owner/name#12 (fix)"; `url` is null when the task is gone. */
type DearTask = { readonly name: string; readonly url: string | null; readonly usd: number };

/** A message, not a report: `pullwright costs` shows the rest. */
const REPOSITORIES_MAX = 30;

export type DigestParts = {
  readonly day: string;
  readonly spending: readonly Spending[];
  readonly costliest: readonly CostlyTask[];
  /** Where the forge's pages are: https://github.com. */
  readonly webUrl: string;
};

/** Null for a day on which nothing was charged. */
export function planDigest({ day, spending, costliest, webUrl }: DigestParts): Digest | null {
  const total = spending.find((row) => row.day === day && row.repository === null);
  if (!total) return null;
  const { usd, runs, tokens } = total;
  const repositories = spending.flatMap((row) => (row.day === day ? readRepository(row, spending) : []));
  return {
    ...{ key: `digest/${day}`, kind: "digest", day, usd, runs, tokens },
    repositories: repositories.slice(0, REPOSITORIES_MAX),
    more: Math.max(0, repositories.length - REPOSITORIES_MAX),
    dearest: costliest.map((task) => describeTask(task, webUrl)),
  };
}

function readRepository(row: Spending, spending: readonly Spending[]): readonly RepositoryDay[] {
  const { day, repository, usd, runs, tokens } = row;
  if (repository === null || row.model !== null) return [];
  const models = spending.flatMap((other) =>
    other.day === day && other.repository === repository && other.model !== null
      ? [{ model: other.model, usd: other.usd, tokens: other.tokens }]
      : [],
  );
  return [{ repository, usd, runs, tokens, models }];
}

function describeTask({ repository, thread, goal, usd }: CostlyTask, webUrl: string): DearTask {
  if (thread === null) return { name: repository, url: null, usd };
  const url = `${webUrl}/${repository}/${thread.kind === "pull" ? "pull" : "issues"}/${thread.number}`;
  return { name: `${repository}#${thread.number} (${goal})`, url, usd };
}

/** Titles of issues are left out: strangers write them, and Slack reads <!channel> in a text as a call to everyone. */
export function renderDigest({ day, usd, runs, tokens, repositories, more, dearest }: Digest): string {
  const lines = [
    `Pullwright spent ${renderUsd(usd)} on ${day} (UTC): ${count(runs, "run")}, ${renderTokens(tokens)}.`,
    ...repositories.flatMap((one) => [
      `${one.repository}: ${renderUsd(one.usd)}, ${count(one.runs, "run")}, ${renderTokens(one.tokens)}`,
      ...one.models.map((row) => `    ${row.model}: ${renderUsd(row.usd)}, ${renderTokens(row.tokens)}`),
    ]),
    ...(more > 0 ? [`and ${more} repositories more`] : []),
    ...(dearest.length > 0 ? ["The dearest tasks:"] : []),
    ...dearest.map((task) => `${renderUsd(task.usd)} ${task.name}${task.url === null ? "" : ` ${task.url}`}`),
  ];
  return lines.join("\n");
}

export function renderTokens({ input, cachedRead, cacheWrite, output }: Usage): string {
  const read = input + cachedRead + cacheWrite;
  return `${shorten(read)} tokens in (${shorten(cachedRead)} of them cached), ${shorten(output)} out`;
}

function shorten(tokens: number): string {
  if (tokens < 10_000) return String(tokens);
  return tokens < 1_000_000 ? `${Math.round(tokens / 1000)}k` : `${(tokens / 1_000_000).toFixed(1)}M`;
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}
