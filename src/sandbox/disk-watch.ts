/**
 * Stops commands that fill the disk. No quota holds a workspace everywhere, so it is measured every few seconds that commands run, and
 * at once when the file system's free space, which costs nothing to look at, has gone down by much.
 */
import { execFile } from "node:child_process";
import { statfsSync } from "node:fs";
import { lstat } from "node:fs/promises";
import { promisify } from "node:util";
import { LAUNCHER_ENVIRONMENT } from "./launcher.ts";
import { unlinkedBytes } from "./process-tree.ts";
import type { SandboxLimits } from "./sandbox.ts";

const POLL_MS = 500;
/** The workspace is measured when this much has gone, or a quarter of the limit. */
const STEP_BYTES = 64 * 1024 * 1024;
const STEP_FILES = 20_000;
/** After so much time of commands in any case: others who delete would hide one that writes. */
const MEASURE_EVERY_MS = 2_000;
/** Measuring takes at most a twentieth of the time, however large the workspace. */
const MEASURE_PAUSE = 20;
/** `du` needs 0.14 s for 50,000 files. */
const MEASURE_MS_MAX = 60_000;
/** Whoever fills it: below this, or below half of what was free, commands stop before the host's database fails. */
const FREE_BYTES_MIN = 1024 * 1024 * 1024;

/** Processes above all that a command runs, on this machine; null while they are not known. */
type Roots = number | readonly number[] | null;

type Usage = { readonly bytes: number; readonly files: number };

const NOTHING: Usage = { bytes: 0, files: 0 };

export class DiskWatch {
  readonly #folders: readonly [string, ...string[]];
  /** What commands write has its device. */
  readonly #workspaceDir: string;
  readonly #limits: Pick<SandboxLimits, "workspaceBytesMax" | "workspaceFilesMax">;
  /** What was there before the session's commands; measured from the first on. */
  #before: Promise<Usage> | null = null;
  /** Free space at the last measuring, or when the command began. */
  #freeThen: Usage;
  readonly #floor: number;
  #last: Usage = NOTHING;
  #isFull = false;
  /** Time of commands since the last measuring, and what it took. */
  #unmeasuredMs = 0;
  #measuringMs = 0;
  #isBusy = false;

  /** The first folder is the workspace, or holds all that is written to it; the others are on the same disk and count with it. */
  constructor(
    folders: readonly [string, ...string[]],
    limits: Pick<SandboxLimits, "workspaceBytesMax" | "workspaceFilesMax">,
    workspaceDir: string = folders[0],
  ) {
    this.#folders = folders;
    this.#workspaceDir = workspaceDir;
    this.#limits = limits;
    this.#freeThen = freeSpace(folders[0]) ?? NOTHING;
    this.#floor = Math.min(FREE_BYTES_MIN, this.#freeThen.bytes / 2);
  }

  /** Calls `exceeded` while the limit is; returns how to stop. What one command wrote counts for the next. */
  watch(namespacePid: () => Roots, exceeded: () => void): () => void {
    let isWatching = true;
    // Begun with the first command and not waited for: what that writes meanwhile, it may have on top.
    this.#before ??= this.#measure(null);
    this.#freeThen = freeSpace(this.#folders[0]) ?? this.#freeThen;
    const poll = async () => {
      if (this.#isBusy) return;
      this.#isBusy = true;
      try {
        // A measuring may end after its command; the next one is not to blame.
        if ((await this.#isExceeded(namespacePid())) && isWatching) exceeded();
      } finally {
        this.#isBusy = false;
      }
    };
    void poll();
    const timer = setInterval(() => {
      this.#unmeasuredMs += POLL_MS;
      void poll();
    }, POLL_MS);
    return () => {
      isWatching = false;
      clearInterval(timer);
    };
  }

  async #isExceeded(roots: Roots): Promise<boolean> {
    const free = freeSpace(this.#folders[0]);
    if (free === null) return false;
    if (free.bytes < this.#floor) return true;
    const gone = { bytes: this.#freeThen.bytes - free.bytes, files: this.#freeThen.files - free.files };
    if (!this.#isWorthMeasuring(gone)) return false;
    const startedAt = performance.now();
    const [before, used] = await Promise.all([this.#before ?? NOTHING, this.#measure(roots)]);
    const isFull =
      used.bytes - before.bytes > this.#limits.workspaceBytesMax ||
      used.files - before.files > this.#limits.workspaceFilesMax;
    const isEmptied = this.#isFull && (used.bytes < this.#last.bytes || used.files < this.#last.files);
    [this.#isFull, this.#last, this.#freeThen] = [isFull, used, free];
    [this.#unmeasuredMs, this.#measuringMs] = [0, performance.now() - startedAt];
    return isFull && !isEmptied;
  }

  #measure(roots: Roots): Promise<Usage> {
    return measure({ folders: this.#folders, workspaceDir: this.#workspaceDir }, roots);
  }

  #isWorthMeasuring(gone: Usage): boolean {
    const { workspaceBytesMax, workspaceFilesMax } = this.#limits;
    if (gone.bytes >= Math.min(STEP_BYTES, workspaceBytesMax / 4)) return true;
    if (gone.files >= Math.min(STEP_FILES, workspaceFilesMax / 4)) return true;
    return this.#unmeasuredMs >= Math.max(MEASURE_EVERY_MS, this.#measuringMs * MEASURE_PAUSE);
  }
}

/** null when the folder has gone or its disk does not answer. */
function freeSpace(folder: string): Usage | null {
  try {
    const { bavail, bsize, ffree } = statfsSync(folder);
    return { bytes: bavail * bsize, files: ffree };
  } catch (error) {
    if (error instanceof Error && "code" in error) return null;
    throw error;
  }
}

type Places = { readonly folders: readonly string[]; readonly workspaceDir: string };

async function measure({ folders, workspaceDir }: Places, roots: Roots): Promise<Usage> {
  const [bytes, files] = await sums(folders);
  const device = (await lstat(workspaceDir).catch(() => null))?.dev;
  const unlinked = roots === null || device === undefined ? 0 : unlinkedBytes(roots, device);
  return { bytes: bytes + unlinked, files };
}

/** One fork of ours for both. */
const SUMS = 'du -sc -B1 -- "$@"; du -sc --inodes -- "$@"';

/**
 * By `du`, which walks trees of any depth that change under it. As an ordinary user in a user namespace of its own: there it may
 * enter folders that their owner has closed to himself. It complains of what vanishes meanwhile; the sums are good all the same.
 */
async function sums(folders: readonly string[]): Promise<readonly [bytes: number, files: number]> {
  const du = ["sh", "-c", SUMS, "du", ...folders];
  const argv = process.getuid?.() === 0 ? du : ["unshare", "--user", "--map-root-user", "--", ...du];
  const [program = "", ...rest] = argv;
  const settings = { env: LAUNCHER_ENVIRONMENT, timeout: MEASURE_MS_MAX, killSignal: "SIGKILL" } as const;
  const said = await promisify(execFile)(program, rest, settings).then(
    ({ stdout }) => stdout,
    (error: unknown) => (error instanceof Error && "stdout" in error ? String(error.stdout) : ""),
  );
  const [bytes = 0, files = 0] = [...said.matchAll(/^(\d+)\ttotal$/gm)].map(([, total]) => Number(total));
  return [bytes, files];
}
