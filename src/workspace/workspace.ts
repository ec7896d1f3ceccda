/**
 * A checkout with a lifetime. The real git directory lies beside the tree, where no sandboxed code can write; the .git that
 * sandboxed code sees is a throw-away with some history, which the host never reads after the sandbox has opened.
 */
import { randomBytes } from "node:crypto";
import { chmod, copyFile, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type FileLock, lockExclusive, tryExclusive } from "../file-lock.ts";
import { pickUid } from "../sandbox/owner.ts";
import type { GitPlace } from "./git-command.ts";
import { gitPipe } from "./git-pipe.ts";
import { endProcessesIn } from "./left-git.ts";
import type { Mirror } from "./mirror.ts";
import { overlayDirs, tryOverlay, unmountBelow } from "./overlay.ts";
import { giveTo } from "./ownership.ts";
import { removeTree } from "./remove-tree.ts";
import { deservesSpare, prepareSpare, takeSpare, type Wanted, writeCheckout } from "./spare.ts";
import type { LaidObject } from "./lfs-tree.ts";
import { LOOSE_STAT, makeStore, showHistory } from "./stores.ts";
import type { Known } from "./run-index.ts";
import type { SeenFolder } from "./strange.ts";
import { listBelow } from "./walk.ts";
import type { Stamp } from "./tree-clock.ts";
import { borrowWarm, deservesWarm, refreshWarm, type Warm } from "./warm.ts";

/** A warm checkout that this many files are missing from is brought up to date when its run has ended. */
const REFRESH_FILES_MIN = 100;
/** The set-up and the first turns have the disk for themselves. */
const SPARE_AFTER_MS = 10_000;
/** Other workers hold the folder of runs for milliseconds. */
const TURN_MS_MAX = 30_000;

export type WorkspaceOpening = {
  readonly mirror: Mirror;
  readonly sha: string;
  readonly runsDir: string;
  /** From how many files on a warm checkout is shown instead of files written; Infinity for never. */
  readonly overlayFilesMin?: number | undefined;
  /** Folders to check out; all without any. Such a tree is written for its run: neither shown nor moved. */
  readonly sparse?: readonly string[] | undefined;
  /** From how many files on, without an overlay, the next run's checkout is written ahead. */
  readonly spareFilesMin?: number | undefined;
};

/** What recording the tree has to remember from one time to the next. Names are latin1 (walk.ts). */
export type TreeMemory = {
  /** Every path that was ever given to the index, and as what. */
  readonly recorded: Map<string, Stamp | null>;
  /** What the index holds; null before it was asked. */
  known: Known | null;
  /** Folders as they were read last, where a tree has no layers. */
  readonly seen: Map<string, SeenFolder>;
  /** The index as a tree; null when it has changed since. */
  tree: string | null;
  /** What stands in the tree for the pointers of Git LFS. */
  readonly objects: Map<string, LaidObject>;
};

/** What is below the tree when it is an overlay. */
export type Layers = { readonly lowerDir: string; readonly upperDir: string };

export class Workspace implements AsyncDisposable {
  /** What becomes /workspace in the sandbox. */
  readonly treeDir: string;
  /** Ours: objects and index of this run; borrows the mirror's objects. */
  readonly gitDir: string;
  readonly baseSha: string;
  readonly memory: TreeMemory = {
    recorded: new Map(),
    known: null,
    seen: new Map(),
    tree: null,
    objects: new Map(),
  };
  readonly #dir: string;
  readonly #opening: WorkspaceOpening;
  #lock: FileLock | null = null;
  #warm: Warm | null = null;
  #owner: number | null = null;
  /** Writes the next run's checkout while this one works. */
  #preparing: Promise<void> = Promise.resolve();
  #isPreparing = false;
  readonly #ending = new AbortController();

  private constructor(dir: string, opening: WorkspaceOpening) {
    this.#dir = dir;
    this.#opening = opening;
    this.treeDir = join(dir, "tree");
    this.gitDir = join(dir, "store.git");
    this.baseSha = opening.sha;
  }

  get place(): GitPlace {
    return { gitDir: this.gitDir, workTree: this.treeDir };
  }

  /** The host's uid that all of the tree belongs to: a sandbox takes it over. Null when it may give the tree to another. */
  get owner(): number | null {
    return this.#owner;
  }

  get layers(): Layers | null {
    if (this.#warm === null) return null;
    const { lower, upper } = overlayDirs(this.#dir);
    return { lowerDir: lower, upperDir: upper };
  }

  /** Shows `sha` in a fresh folder below `runsDir`, whose name says nothing about the repository. */
  static async open(opening: WorkspaceOpening, signal: AbortSignal): Promise<Workspace> {
    const { runsDir } = opening;
    // Traversable but not listable by the sandbox's own user, which must reach its tree and find no other.
    await mkdir(runsDir, { recursive: true });
    await chmod(runsDir, 0o711);
    const workspace = new Workspace(join(runsDir, randomBytes(9).toString("hex")), opening);
    try {
      await workspace.#claim();
      await workspace.#fill(signal);
      return workspace;
    } catch (error) {
      await workspace[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Removes what killed workers left in `runsDir`, mounts included; never a run that a live one holds. */
  static async sweep(runsDir: string): Promise<void> {
    const names = (await readdir(runsDir).catch(() => [])).map(
      (name) => /^([0-9a-f]{18})(\.lock(-journal)?)?$/.exec(name)?.[1],
    );
    for (const name of new Set(names.filter((id) => id !== undefined))) {
      const lock = await inTurn(runsDir, () => tryExclusive(join(runsDir, `${name}.lock`)));
      if (lock === null) continue;
      await endProcessesIn(join(runsDir, name));
      await removeRun(join(runsDir, name));
      lock.release();
    }
  }

  async #claim(): Promise<void> {
    this.#lock = await inTurn(this.#opening.runsDir, () => tryExclusive(`${this.#dir}.lock`));
    await mkdir(this.#dir, { mode: 0o711 });
    await mkdir(this.treeDir, { mode: 0o755 });
  }

  async #fill(signal: AbortSignal): Promise<void> {
    const { mirror, sha, overlayFilesMin, spareFilesMin, sparse = [] } = this.#opening;
    await makeStore(this.gitDir, { mirrorGitDir: mirror.gitDir, sha });
    const wanted = { mirror, sha, place: this.place, treeDir: this.treeDir, sparse };
    if (sparse.length > 0) {
      this.#owner = await writeCheckout(wanted, signal);
      return;
    }
    const scratchDir = join(this.#dir, "probe");
    const isWorthIt = await deservesWarm({ mirror, sha, scratchDir, filesMin: overlayFilesMin }, signal);
    if (isWorthIt && (await this.#showWarm(signal))) return;
    const owner = await takeSpare(wanted, this.#dir, signal);
    this.#owner = owner === false ? await writeCheckout(wanted, signal) : owner;
    if (await deservesSpare(this.treeDir, spareFilesMin)) this.#preparing = this.#prepareNext(wanted);
  }

  /** A copy that cannot be written, or is stopped with the run, is no loss. */
  async #prepareNext(wanted: Wanted): Promise<void> {
    const { signal } = this.#ending;
    try {
      await delay(SPARE_AFTER_MS, undefined, { signal, ref: false });
      this.#isPreparing = true;
      await prepareSpare(wanted, signal);
    } catch {
      // The next run writes its files itself.
    }
  }

  async #showWarm(signal: AbortSignal): Promise<boolean> {
    const { mirror, sha } = this.#opening;
    const warm = await borrowWarm({ mirror, sha }, signal);
    const uid = await pickUid();
    this.#warm = warm;
    if (!(await tryOverlay({ dir: this.#dir, warmTreeDir: warm.treeDir, uid }))) {
      this.#warm = null;
      warm.release();
      return false;
    }
    const index = join(this.gitDir, "index");
    await copyFile(warm.indexFile, index);
    if (warm.commit !== sha) {
      await gitPipe(this.place, ["read-tree", "-m", "-u", warm.commit, sha], { signal, settings: LOOSE_STAT });
      await showHistory(this.place, this.treeDir, signal);
      await copyFile(index, join(this.treeDir, ".git/index"));
      await giveTo(this.treeDir, { uid, gid: uid }, await listBelow(overlayDirs(this.#dir).upper));
    }
    this.#owner = uid;
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { mirror, sha } = this.#opening;
    const timer = setTimeout(() => this.#ending.abort(), this.#isPreparing ? REFRESH_MS_MAX : 0);
    await this.#preparing;
    clearTimeout(timer);
    await removeRun(this.#dir);
    this.#lock?.release();
    this.#warm?.release();
    if (this.#warm && this.#warm.driftFiles >= REFRESH_FILES_MIN) {
      await refreshWarm({ mirror, sha }, this.#warm.treeDir, AbortSignal.timeout(REFRESH_MS_MAX));
    }
  }
}

/** A worker that is told to stop has twenty seconds; what is not done then is done at the next start. */
const REFRESH_MS_MAX = 10_000;

async function removeRun(dir: string): Promise<void> {
  await unmountBelow(dir);
  await removeTree(dir);
  await rm(`${dir}.lock`, { force: true });
}

/** One at a time: between a lock file's making and its locking a sweep would take it for a dead worker's. */
async function inTurn<T>(runsDir: string, act: () => T): Promise<T> {
  const turn = await lockExclusive(join(runsDir, "turn"), TURN_MS_MAX);
  try {
    return act();
  } finally {
    turn.release();
  }
}
