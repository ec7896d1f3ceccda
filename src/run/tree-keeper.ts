/**
 * The journal of a run that edits: an observation of a call that changed the work tree is written together with a pack of the
 * tree, so that whoever reads the one has the other. What changed nothing costs no git process.
 */
import { UserError } from "../failure.ts";
import type { Journal, JournalEntry, RecordedEntry, TreeJournal, TreePack } from "../journal.ts";
import { packCheckpoint, readBaseTree, takeCheckpoint } from "../workspace/checkpoint.ts";
import { GitError } from "../workspace/git-command.ts";
import { isTouchedSince, thisMoment } from "../workspace/tree-clock.ts";
import type { Workspace } from "../workspace/workspace.ts";

/** Taken in one after the other when a run is resumed, some ten milliseconds each; then one pack stands for all. */
const PACKS_MAX = 16;
/** Of all packs of a task, compressed: far more than a change that people will read, and little enough to write in a second. */
export const PACK_BYTES_MAX = 32 * 1024 * 1024;

export type TreeKeeperParts = {
  readonly journal: TreeJournal;
  readonly workspace: Workspace;
  /** What the tree was put back from. */
  readonly packs: readonly TreePack[];
  readonly now: () => number;
  /** Of the tests. */
  readonly packBytesMax?: number;
};

type Kept = { readonly tree: string | null; readonly packs: number; readonly bytes: number };

/** Open it when nothing of the sandbox has run yet: the tree is what `packs` say, or the base. */
export class TreeKeeper implements Journal {
  readonly #parts: TreeKeeperParts;
  readonly #signal: AbortSignal;
  #kept: Kept;
  #missed: string | null = null;
  #baseTree: Promise<string> | null = null;
  #looked = thisMoment();
  #keeping: Promise<unknown> = Promise.resolve();

  constructor(parts: TreeKeeperParts, signal: AbortSignal) {
    const { packs } = parts;
    const bytes = packs.reduce((sum, { pack }) => sum + pack.length, 0);
    this.#parts = parts;
    this.#signal = signal;
    this.#kept = { tree: packs.at(-1)?.tree ?? null, packs: packs.length, bytes };
  }

  append(entry: JournalEntry): Promise<void> {
    const change = readChange(entry);
    if (change === "none") return this.#parts.journal.append(entry);
    const keep = this.#keeping.then(() => this.#keep(entry, change === "sure"));
    this.#keeping = keep.catch(() => {}); // The caller has the error.
    return keep;
  }

  read(): Promise<readonly RecordedEntry[]> {
    return this.#parts.journal.read();
  }

  async #keep(entry: JournalEntry, isSure: boolean): Promise<void> {
    const { journal, workspace, now } = this.#parts;
    if (!isSure && !(await isTouchedSince(workspace, this.#looked, this.#signal))) return await journal.append(entry);
    const startedAt = now();
    const pack = await this.#pack();
    if (pack.kind === "unchanged") await journal.append(entry);
    else if (pack.kind === "missed") await this.#miss(entry, pack.why);
    else {
      const { tree, bytes, made } = pack;
      const checkpointed = { kind: "checkpointed", tree, bytes: made.pack.length, wallMs: now() - startedAt } as const;
      await journal.appendTogether([entry, checkpointed], made);
      this.#kept = { tree, packs: made.isBase ? 1 : this.#kept.packs + 1, bytes };
      this.#missed = null;
    }
    // Nothing has run meanwhile, so what was touched before this moment has been looked at.
    this.#looked = thisMoment();
  }

  /** Told once: the run goes on, and only a lost one will miss it. */
  async #miss(entry: JournalEntry, why: string): Promise<void> {
    const { journal } = this.#parts;
    if (this.#missed === why) return await journal.append(entry);
    await journal.appendTogether([entry, { kind: "checkpoint-missed", why }], null);
    this.#missed = why;
  }

  async #pack(): Promise<Made> {
    try {
      return await this.#packOrThrow();
    } catch (error) {
      // Too many files, or what git cannot take in: the agent may still mend it, and the end of the run will tell.
      if (error instanceof UserError) return { kind: "missed", why: error.message };
      if (error instanceof GitError) return { kind: "missed", why: "git could not take it in" };
      throw error;
    }
  }

  async #packOrThrow(): Promise<Made> {
    const { workspace, packBytesMax = PACK_BYTES_MAX } = this.#parts;
    const checkpoint = await takeCheckpoint(workspace, this.#signal);
    const { tree } = checkpoint;
    const kept = this.#kept;
    this.#baseTree ??= readBaseTree(workspace, this.#signal);
    if (tree === (kept.tree ?? (await this.#baseTree)) && this.#missed === null) return { kind: "unchanged" };
    if (kept.tree !== null && kept.packs < PACKS_MAX) {
      const previous = { ...checkpoint, tree: kept.tree };
      const pack = await packCheckpoint(workspace, { checkpoint, previous }, this.#signal);
      const bytes = kept.bytes + pack.length;
      if (bytes <= packBytesMax) return { kind: "made", tree, bytes, made: { tree, isBase: false, pack } };
    }
    const pack = await packCheckpoint(workspace, { checkpoint, previous: null }, this.#signal);
    if (pack.length <= packBytesMax)
      return { kind: "made", tree, bytes: pack.length, made: { tree, isBase: true, pack } };
    return { kind: "missed", why: `what was changed is larger than ${Math.round(packBytesMax / 1024 / 1024)} MiB` };
  }
}

type Made =
  | { readonly kind: "unchanged" }
  | { readonly kind: "missed"; readonly why: string }
  | { readonly kind: "made"; readonly tree: string; readonly bytes: number; readonly made: TreePack };

/** Tools that edit by themselves; one that is refused in the middle may have written before. */
const EDITING: ReadonlySet<string> = new Set(["edit", "apply_patch", "notebook", "undo", "shell"]);

/** Whether the observed call changed the tree: a command may have, an edit has. Of sub-agents only one may write. */
function readChange(entry: JournalEntry): "none" | "perhaps" | "sure" {
  if (entry.kind === "sub-agent") return entry.role === "test-writer" ? readChange(entry.entry) : "none";
  if (entry.kind !== "tool-observed") return "none";
  if ((entry.edits ?? []).length > 0) return "sure";
  return entry.command !== null || (entry.observation.isError && EDITING.has(entry.tool)) ? "perhaps" : "none";
}
