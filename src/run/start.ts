/** Where an attempt begins: at the turn an earlier one had come to, its work tree put back, or from nothing. */
import { readSpent, type PurseSpent } from "../agent/purse.ts";
import { NO_PAST, type Past } from "../agent/resumption.ts";
import type { TreeJournal, TreePack } from "../journal.ts";
import type { AttemptEntry } from "../store/journal.ts";
import { restoreCheckpoint, unpackCheckpoint } from "../workspace/checkpoint.ts";
import { GitError } from "../workspace/git-command.ts";
import type { Workspace } from "../workspace/workspace.ts";
import type { Checkout } from "./checkout.ts";
import { readBegun, workedMs, type Begun } from "./past.ts";

export type StartParts = {
  readonly journal: TreeJournal;
  readonly attempt: number;
  /** What earlier attempts wrote. */
  readonly earlier: readonly AttemptEntry[];
  readonly readPacks: () => Promise<readonly TreePack[]>;
};

export type Start = {
  /** Null for a start from nothing. */
  readonly begun: Begun | null;
  readonly past: Past;
  /** By all attempts, those included that this one does not go on from. */
  readonly paid: PurseSpent;
  /** What the tree is put back from; [] when nothing had been changed. */
  readonly packs: readonly TreePack[];
};

/** A fixed text, so that prompt caches keep what stands before it. */
const NOTE =
  "The worker you were on was lost, and another one goes on. Your files are as you left them. What git ignores (installed " +
  "packages, build output) is as it was before your first turn, and so is everything outside of the workspace.";

export type StartPlace = {
  readonly checkout: Checkout;
  readonly workspace: Workspace;
  /** Nothing can be written: there is nothing that another machine would not have. */
  readonly isReview: boolean;
};

/** Takes in what the tree is put back from, and writes which of the two it is. Before the set-up. */
export async function openStart(
  parts: StartParts,
  { checkout, workspace, isReview }: StartPlace,
  signal: AbortSignal,
): Promise<Start> {
  const { earlier, attempt, journal } = parts;
  const begun = readBegun(earlier);
  const paid = readSpent(earlier.map(({ entry }) => entry));
  const past = { ...NO_PAST, workedMs: workedMs(earlier), isTreeRestored: true };
  if (begun === null) return { begun, past, paid, packs: [] };
  const packs = begun.tree.kind === "kept" ? await parts.readPacks() : [];
  const why = checkout.isPinned ? await takeIn({ begun, packs, workspace }, signal) : GONE;
  if (why !== null) {
    await journal.append({ kind: "restarted", attempt, why });
    return { begun: null, past, paid, packs: [] };
  }
  const tree = begun.tree.kind === "kept" ? begun.tree.tree : null;
  await journal.append({ kind: "resumed", attempt, turn: begun.turn, tree });
  const { written } = begun;
  // A review may wait for an answer to the very words it asked with.
  const hasRun = !isReview && written.some((entry) => entry.kind === "tool-observed" && entry.command !== null);
  return { begun, past: { ...past, written, note: hasRun ? NOTE : null }, paid, packs };
}

const GONE = "the commit it began from is no longer there";

type Wanted = { readonly begun: Begun; readonly packs: readonly TreePack[]; readonly workspace: Workspace };

/** Why the tree cannot be put back, null when it can. */
async function takeIn({ begun, packs, workspace }: Wanted, signal: AbortSignal): Promise<string | null> {
  switch (begun.tree.kind) {
    case "untouched":
      return null;
    case "missed":
      return `its work tree could not be kept: ${begun.tree.why}`;
    case "kept":
      break;
  }
  if (packs.at(-1)?.tree !== begun.tree.tree) return "its work tree is no longer stored";
  try {
    for (const { pack } of packs) await unpackCheckpoint(workspace, pack, signal);
    return null;
  } catch (error) {
    if (!(error instanceof GitError)) throw error;
    return "its stored work tree cannot be read";
  }
}

/** After the set-up, which makes what git ignores; before any session is open on the workspace. */
export async function putBack({ begun }: Start, workspace: Workspace, signal: AbortSignal): Promise<void> {
  if (begun?.tree.kind !== "kept") return;
  await restoreCheckpoint(workspace, { tree: begun.tree.tree, baseSha: workspace.baseSha }, signal);
}
