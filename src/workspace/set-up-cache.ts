/**
 * What a set-up made (node_modules, .venv, downloaded crates), kept as archives for the next run that starts from the same. The host
 * neither reads nor runs what is in them: as root both packing and unpacking are done by the user the tree belongs to.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { lstat, mkdir, open, readdir, rename, rm, stat, utimes, type FileHandle } from "node:fs/promises";
import { once } from "node:events";
import { basename, join } from "node:path";
import { changeOwner, pickUid } from "../sandbox/owner.ts";
import { joinNames } from "./git-pipe.ts";
import { giveTo, ownerOf } from "./ownership.ts";
import { removeTree } from "./remove-tree.ts";
import { moveInto } from "./set-up-spares.ts";

export type SetUpCacheLimits = {
  /** Of all archives together; what was not used for longest goes first. */
  readonly bytesMax: number;
  readonly archiveBytesMax: number;
};

/** Some dozens of projects; a larger archive is no set of packages but somebody's disk to fill. */
const LIMITS: SetUpCacheLimits = { bytesMax: 20 * 1024 ** 3, archiveBytesMax: 2 * 1024 ** 3 };
/** Unpacked copies that wait for a run; they take the room of their files beside the archives. */
const SPARES_MAX = 8;
/** What is being packed for longer was left by a worker that died. */
const UNFINISHED_MS_MAX = 3_600_000;

export class SetUpCache {
  readonly #dir: string;
  readonly #limits: SetUpCacheLimits;

  constructor(dir: string, limits: Partial<SetUpCacheLimits> = {}) {
    this.#dir = dir;
    this.#limits = { ...LIMITS, ...limits };
  }

  /** Unpacks what is kept under `key` once more, so that the next run need not wait for that. */
  async prepare(key: string, signal: AbortSignal): Promise<void> {
    await using archive = await open(this.#path(key)).catch(() => null);
    if (archive === null || (await lstat(this.#sparePath(key)).catch(() => null)) !== null) return;
    const dir = this.#newPath();
    await using undo = new AsyncDisposableStack();
    undo.defer(() => removeTree(dir));
    await mkdir(dir, { mode: 0o755 });
    if (process.getuid?.() === 0) await giveTo(this.#dir, await nobody(), [basename(dir)]);
    const bytesMax = this.#limits.archiveBytesMax;
    if (!(await runTar(["--extract"], { treeDir: dir, stdin: archive.fd, bytesMax }, signal))) return;
    // Another run may have been faster; then ours is removed.
    await rename(dir, this.#sparePath(key)).catch(() => {});
    await this.#makeRoom();
  }

  /** False when there is none, or it cannot be moved: from one disk, or into an overlay, nothing can. */
  async #takeSpare(key: string, treeDir: string): Promise<boolean> {
    const dir = this.#newPath();
    await using undo = new AsyncDisposableStack();
    undo.defer(() => removeTree(dir));
    try {
      await rename(this.#sparePath(key), dir);
      if (process.getuid?.() === 0) await changeOwner(dir, await ownerOf(treeDir));
      await moveInto(treeDir, dir);
      return true;
    } catch {
      return false; // The archive says the same, and takes longer.
    }
  }

  /** Unpacks what is kept under `key` (hexadecimal) into the tree. False when there is nothing, or nothing that can be used. */
  async restore(key: string, treeDir: string, signal: AbortSignal): Promise<boolean> {
    await using archive = await open(this.#path(key)).catch(() => null);
    if (archive === null) return false;
    const now = new Date();
    await utimes(this.#path(key), now, now).catch(() => {}); // Another worker may have made room of it; we have it open.
    if (await this.#takeSpare(key, treeDir)) return true;
    // Folders that are there keep their rights; a link among them is replaced, not followed.
    if (
      await runTar(
        ["--extract", "--no-overwrite-dir"],
        { treeDir, stdin: archive.fd, bytesMax: this.#limits.archiveBytesMax },
        signal,
      )
    )
      return true;
    await rm(this.#path(key), { force: true });
    return false;
  }

  /** Packs `made` (as `listMade` gives it). False when it is too large to be kept, or changed under our eyes. */
  async keep(key: string, treeDir: string, made: readonly string[], signal: AbortSignal): Promise<boolean> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    const unfinished = this.#newPath();
    await using undo = new AsyncDisposableStack();
    undo.defer(() => rm(unfinished, { force: true }));
    {
      await using archive = await open(unfinished, "wx", 0o600);
      const names = ["--null", "--verbatim-files-from", "--files-from=-"];
      const bytesMax = this.#limits.archiveBytesMax;
      const stdio = { treeDir, stdin: joinNames(made), stdout: archive, bytesMax };
      if (!(await runTar(["--create", ...names], stdio, signal))) return false;
    }
    await rename(unfinished, this.#path(key));
    await this.#makeRoom();
    return true;
  }

  async #makeRoom(): Promise<void> {
    const names = await readdir(this.#dir);
    const found = await Promise.all(
      names.map(async (name) => ({
        path: join(this.#dir, name),
        stats: await stat(join(this.#dir, name)).catch(() => null),
      })),
    );
    const newestFirst = found.sort((a, b) => (b.stats?.mtimeMs ?? 0) - (a.stats?.mtimeMs ?? 0));
    let bytes = 0;
    let spares = 0;
    for (const { path, stats } of newestFirst) {
      if (stats === null) continue;
      const isLeft = path.endsWith(".new") && Date.now() - stats.mtimeMs > UNFINISHED_MS_MAX;
      const isTooMuch = path.endsWith(".tar") && (bytes += stats.size) > this.#limits.bytesMax;
      const isSpare = path.endsWith(".spare") && ++spares > SPARES_MAX;
      if (isLeft || isTooMuch || isSpare) await removeTree(path);
    }
  }

  #newPath(): string {
    return join(this.#dir, `${randomBytes(6).toString("hex")}.new`);
  }

  #sparePath(key: string): string {
    return join(this.#dir, `${key}.spare`);
  }

  #path(key: string): string {
    return join(this.#dir, `${key}.tar`);
  }
}

/** Someone whom no run is, to unpack what sandboxed code has made. */
async function nobody(): Promise<{ readonly uid: number; readonly gid: number }> {
  const uid = await pickUid();
  return { uid, gid: uid };
}

type TarEnds = {
  readonly treeDir: string;
  readonly stdin: Buffer | number;
  readonly stdout?: FileHandle;
  /** Of any file it writes. */
  readonly bytesMax: number;
};

/** Runs in the tree, under the tree's owner: from a folder it is in, a user needs no way to it. */
async function runTar(args: readonly string[], ends: TarEnds, signal: AbortSignal): Promise<boolean> {
  const { uid, gid } = await ownerOf(ends.treeDir);
  const drop = ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "--no-new-privs", "--"];
  const isOurs = process.getuid?.() === uid;
  const [program = "", ...rest] = [...(isOurs ? [] : drop), "prlimit", `--fsize=${ends.bytesMax}`, "tar", ...args];
  const input = typeof ends.stdin === "number" ? ends.stdin : "pipe";
  const child = spawn(program, rest, {
    cwd: ends.treeDir,
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C" },
    stdio: [input, ends.stdout?.fd ?? "ignore", "ignore"],
    signal,
  });
  if (typeof ends.stdin !== "number") child.stdin?.on("error", () => {}).end(ends.stdin);
  const ended: unknown[] = await once(child, "close");
  return ended[0] === 0;
}
