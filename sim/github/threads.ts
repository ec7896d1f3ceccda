/** Changes to issues and pull requests that more than one route brings about. Each sends its event. */
import { emitLabel, emitThread } from "./events.ts";
import type { Account, Label, Pull, PullThread, Repo, Thread } from "./records.ts";
import { isPull, type Sim } from "./sim.ts";

export type NewThread = {
  readonly repo: Repo;
  readonly author: Account;
  readonly viaApp: boolean;
  readonly title: string;
  readonly body: string | null;
};

export function nextNumber(repo: Repo): number {
  return repo.threads.reduce((last, thread) => Math.max(last, thread.number), 0) + 1;
}

export function addThread<P extends Pull | null>(sim: Sim, thread: NewThread, pull: P): Thread & { readonly pull: P } {
  const now = sim.time();
  const record: Thread & { readonly pull: P } = {
    id: sim.nextId(),
    number: nextNumber(thread.repo),
    author: thread.author,
    viaApp: thread.viaApp,
    title: thread.title,
    body: thread.body,
    createdAt: now,
    updatedAt: now,
    state: "open",
    stateReason: null,
    closedAt: null,
    closedBy: null,
    labels: [],
    assignees: [],
    reactions: [],
    pull,
  };
  thread.repo.threads.push(record);
  return record;
}

type Change = { readonly repo: Repo; readonly thread: Thread; readonly sender: Account };

export function addLabels(sim: Sim, change: Change, names: readonly string[]): void {
  announceLabels(sim, change, attachLabels(sim, change, names));
}

/**
 * Sets labels and leaves the events to announceLabels: an issue made with labels is "opened" with them, then "labeled" with each.
 * New names become labels of the repository, as when a person types one that does not exist yet.
 */
export function attachLabels(
  sim: Sim,
  { repo, thread }: Pick<Change, "repo" | "thread">,
  names: readonly string[],
): readonly Label[] {
  return names.flatMap((name) => {
    if (findLabel(thread.labels, name)) return [];
    const label = findLabel(repo.labels, name) ?? createLabel(sim, repo, { name, color: "ededed", description: null });
    thread.labels.push(label);
    thread.updatedAt = sim.time();
    return [label];
  });
}

export function announceLabels(sim: Sim, { repo, thread, sender }: Change, labels: readonly Label[]): void {
  for (const label of labels) emitLabel(sim, { repo, thread, sender, action: "labeled" }, label);
}

/** False when the thread has no such label. */
export function removeLabel(sim: Sim, { repo, thread, sender }: Change, name: string): boolean {
  const label = findLabel(thread.labels, name);
  if (!label) return false;
  thread.labels.splice(thread.labels.indexOf(label), 1);
  thread.updatedAt = sim.time();
  emitLabel(sim, { repo, thread, sender, action: "unlabeled" }, label);
  return true;
}

export function setLabels(sim: Sim, change: Change, names: readonly string[]): void {
  for (const label of [...change.thread.labels]) {
    if (!names.some((name) => isSameName(name, label.name))) removeLabel(sim, change, label.name);
  }
  addLabels(sim, change, names);
}

export function createLabel(sim: Sim, repo: Repo, label: Omit<Label, "id">): Label {
  const record = { id: sim.nextId(), ...label };
  repo.labels.push(record);
  return record;
}

export function findLabel(labels: readonly Label[], name: string): Label | null {
  return labels.find((label) => isSameName(label.name, name)) ?? null;
}

function isSameName(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

export function setState(
  sim: Sim,
  { repo, thread, sender }: Change,
  { state, reason }: { state: Thread["state"]; reason?: Thread["stateReason"] },
): void {
  if (thread.state === state) return;
  const now = sim.time();
  const isClosing = state === "closed";
  thread.state = state;
  thread.stateReason = isPull(thread) ? null : isClosing ? (reason ?? "completed") : "reopened";
  thread.closedAt = isClosing ? now : null;
  thread.closedBy = isClosing ? sender : null;
  thread.updatedAt = now;
  emitThread(sim, { repo, thread, sender, action: isClosing ? "closed" : "reopened" });
}

/** Marks a pull request as merged by `commit` and closes what its text says it closes. */
export function setMerged(
  sim: Sim,
  { repo, thread, sender }: Change & { readonly thread: PullThread },
  { sha, messages }: { readonly sha: string; readonly messages: readonly string[] },
): void {
  thread.pull.merged = { at: sim.time(), by: sender, sha };
  setState(sim, { repo, thread, sender }, { state: "closed" });
  if (thread.pull.baseRef !== repo.defaultBranch) return;
  for (const number of readClosing([thread.body ?? "", ...messages])) {
    const issue = repo.threads.find((one) => one.number === number && !one.pull);
    if (issue) setState(sim, { repo, thread: issue, sender }, { state: "closed" });
  }
}

/** The nine keywords of "Linking a pull request to an issue". */
function readClosing(texts: readonly string[]): ReadonlySet<number> {
  const numbers = texts.flatMap((text) =>
    [...text.matchAll(/\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?):?\s+#(\d+)\b/gi)].map((match) => Number(match[1])),
  );
  return new Set(numbers);
}
