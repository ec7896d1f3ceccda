/** The play of one seed: who asks for what and when, what is killed when. Pure; only the operating system's timing is not in it. */
import { Dice } from "./dice.ts";

export type Size = {
  readonly repos: number;
  /** Of each repository. */
  readonly issues: number;
  /** Of each repository: how many fixes are asked for on each of its drafts. */
  readonly fixes: readonly number[];
  /** Of each repository: pull requests that get an automatic review, and whether another is asked for by command. */
  readonly reviews: number;
  readonly asksReviews: boolean;
  readonly workers: number;
  readonly killsMax: number;
  readonly killEvery: { readonly ms: readonly [number, number]; readonly replies: readonly [number, number] };
  /** When the database goes, alternately killed and shut down: after so many of the models' replies. */
  readonly restarts: readonly (readonly [number, number])[];
  /** All is asked for within this time. */
  readonly arrivalsMs: number;
  /** Of requests to GitHub: how many fail. A read that fails is asked again in a second, anything else by the next attempt. */
  readonly faults: { readonly read: number; readonly write: number; readonly git: number; readonly hangsMax: number };
  readonly limitMs: number;
};

/** The form of the acceptance: sixty tasks over six repositories. */
export const FULL: Size = {
  ...{ repos: 6, issues: 5, fixes: [2, 1], reviews: 1, asksReviews: true },
  ...{ workers: 3, killsMax: 300, killEvery: { ms: [1_000, 2_000], replies: [2, 5] } },
  restarts: [
    [30, 90],
    [120, 200],
  ],
  ...{ arrivalsMs: 60_000, limitMs: 20 * 60_000 },
  faults: { read: 0.05, write: 0.015, git: 0.03, hangsMax: 2 },
};

/** The same with fewer repositories, and all that comes after so many replies in proportion. */
export function shrink(size: Size, repos: number): Size {
  const share = (count: number) => Math.ceil((count * repos) / size.repos);
  const restarts = size.restarts.map(([from, to]) => [share(from), share(to)] as const);
  return { ...size, repos, restarts, arrivalsMs: share(size.arrivalsMs) };
}

/** For every run of the tests. */
export const SHORT: Size = {
  ...{ repos: 2, issues: 2, fixes: [1], reviews: 1, asksReviews: false },
  ...{ workers: 2, killsMax: 6, killEvery: { ms: [0, 0], replies: [1, 3] } },
  restarts: [[6, 14]],
  ...{ arrivalsMs: 6_000, limitMs: 4 * 60_000 },
  faults: { read: 0.05, write: 0, git: 0, hangsMax: 0 },
};

/** What is asked for, and by that what must come of it. `name` stands in what is asked, so that the model knows which it is. */
export type Case = {
  readonly name: string;
  readonly repo: number;
  readonly goal: "implement" | "fix" | "review";
  /** Null for a labelled issue, and for the review that comes by itself. */
  readonly command: string | null;
};

/** What happens on one thread, in this order. */
export type ThreadPlan = {
  readonly name: string;
  readonly repo: number;
  readonly kind: "issue" | "draft" | "ready";
  readonly steps: readonly Step[];
};

export type Step = { readonly atMs: number } & (
  | { readonly kind: "open"; readonly case: Case | null }
  | { readonly kind: "command"; readonly case: Case }
  /** A person pushes to the pull request's branch while we may be at work on it. */
  | { readonly kind: "push"; readonly file: string }
);

export type Restart = { readonly afterReplies: number; readonly how: "kill" | "shut-down"; readonly downMs: number };
/**
 * So long after the kill before, and not before the models have given so many more replies: else a machine that is busy with other things
 * would see nothing but starts. For the same reason a worker that is just starting is spared as a rule.
 */
export type Kill = {
  readonly afterMs: number;
  readonly afterReplies: number;
  readonly worker: number;
  readonly sparesStarting: boolean;
};

export type Plan = {
  readonly seed: number;
  readonly size: Size;
  readonly threads: readonly ThreadPlan[];
  readonly cases: readonly Case[];
  readonly kills: readonly Kill[];
  readonly restarts: readonly Restart[];
  readonly wire: "anthropic" | "openai";
};

const SPARING_SHARE = 0.8;

export function makePlan(seed: number, size: Size): Plan {
  const dice = new Dice(String(seed));
  const threads = Array.from({ length: size.repos }, (_, repo) => planRepo(dice, repo, size)).flat();
  const cases = threads.flatMap(({ steps }) =>
    steps.flatMap((step) => ("case" in step && step.case ? [step.case] : [])),
  );
  const kills: Kill[] = [];
  const { killEvery } = size;
  for (let i = 0; i < size.killsMax; i++) {
    const afterMs = dice.whole(`kill ${i} after`, ...killEvery.ms);
    const afterReplies = dice.whole(`kill ${i} after replies`, ...killEvery.replies);
    const sparesStarting = dice.share(`kill ${i} spares`) < SPARING_SHARE;
    const worker = dice.whole(`kill ${i} of`, 0, size.workers - 1);
    kills.push({ afterMs, afterReplies, worker, sparesStarting });
  }
  const first = dice.whole("first restart", 0, 1);
  const restarts = size.restarts.map((span, i): Restart => {
    const how = (i + first) % 2 === 0 ? "kill" : "shut-down";
    const afterReplies = dice.whole(`restart ${i} at`, ...span);
    return { afterReplies, how, downMs: dice.whole(`restart ${i} for`, 0, 2_000) };
  });
  return { seed, size, threads, cases, kills, restarts, wire: dice.pick("wire", ["anthropic", "openai"]) };
}

function planRepo(dice: Dice, repo: number, size: Size): ThreadPlan[] {
  const at = (name: string) => dice.whole(`${name} at`, 0, size.arrivalsMs);
  const threads: ThreadPlan[] = [];
  for (let i = 0; i < size.issues; i++) {
    const name = `r${repo}-issue${i}`;
    const opened: Case = { name, repo, goal: "implement", command: null };
    threads.push({ name, repo, kind: "issue", steps: [{ kind: "open", atMs: at(name), case: opened }] });
  }
  for (const [i, fixes] of size.fixes.entries()) {
    const name = `r${repo}-draft${i}`;
    const asked = Array.from({ length: fixes }, (_, n): Step => {
      const fix = `${name}-fix${n}`;
      return { kind: "command", atMs: at(fix), case: { name: fix, repo, goal: "fix", command: "fix" } };
    });
    const isPushed = dice.share(`${name} is pushed to`) < 0.5;
    const push: Step = { kind: "push", atMs: at(`${name} push`), file: `person-${name}.txt` };
    threads.push({ name, repo, kind: "draft", steps: inOrder([...asked, ...(isPushed ? [push] : [])]) });
  }
  for (let i = 0; i < size.reviews; i++) {
    const name = `r${repo}-ready${i}`;
    const opened: Case = { name, repo, goal: "review", command: null };
    const asked: Case = { name: `${name}-asked`, repo, goal: "review", command: "review" };
    const open: Step = { kind: "open", atMs: at(name), case: opened };
    const ask: Step = { kind: "command", atMs: open.atMs + at(`${name} asked`), case: asked };
    threads.push({ name, repo, kind: "ready", steps: size.asksReviews ? [open, ask] : [open] });
  }
  return threads;
}

/** A draft is opened just before the first thing happens to it. */
function inOrder(steps: readonly Step[]): Step[] {
  const sorted = steps.toSorted((one, other) => one.atMs - other.atMs);
  return [{ kind: "open", atMs: sorted[0]?.atMs ?? 0, case: null }, ...sorted];
}
