/**
 * A checkout with a lifetime. The real git directory lies beside the tree, where no sandboxed code can write; the .git that
 * sandboxed code sees is a throw-away with some history, which the host never reads after the sandbox has opened.
 */
import { randomBytes } from "node:crypto";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { git, type GitPlace } from "./git.ts";
import type { Mirror } from "./mirror.ts";
import { removeTree } from "./remove-tree.ts";

/** Commits that `git log` and `git blame` inside the sandbox can see. More costs time at the start of each run. */
const VISIBLE_HISTORY = 50;

/** What the file tools write first and rename after; a killed one may leave some behind. */
const OWN_FILES = ".pullwright-*";

export class Workspace implements AsyncDisposable {
  /** What becomes /workspace in the sandbox. */
  readonly treeDir: string;
  /** Ours: objects and index of this run; borrows the mirror's objects. */
  readonly gitDir: string;
  readonly baseSha: string;
  readonly #dir: string;

  private constructor(dir: string, baseSha: string) {
    this.#dir = dir;
    this.treeDir = join(dir, "tree");
    this.gitDir = join(dir, "store.git");
    this.baseSha = baseSha;
  }

  get place(): GitPlace {
    return { gitDir: this.gitDir, workTree: this.treeDir };
  }

  /** Checks `sha` out into a fresh folder below `runsDir`, whose name says nothing about the repository. */
  static async open(mirror: Mirror, sha: string, runsDir: string, signal: AbortSignal): Promise<Workspace> {
    // Traversable but not listable by the sandbox's own user, which must reach its tree and find no other.
    await mkdir(runsDir, { recursive: true });
    await chmod(runsDir, 0o711);
    const workspace = new Workspace(join(runsDir, randomBytes(9).toString("hex")), sha);
    try {
      await workspace.#fill(mirror, signal);
      return workspace;
    } catch (error) {
      await workspace[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #fill(mirror: Mirror, signal: AbortSignal): Promise<void> {
    await mkdir(this.#dir, { mode: 0o711 });
    await mkdir(this.treeDir, { mode: 0o755 });
    await mkdir(this.gitDir, { mode: 0o700 });
    await git({ gitDir: this.gitDir, workTree: null }, ["init", "--quiet", "--bare", "--template="], { signal });
    await mkdir(join(this.gitDir, "objects/info"), { recursive: true });
    await writeFile(join(this.gitDir, "objects/info/alternates"), `${join(mirror.gitDir, "objects")}\n`);
    await mkdir(join(this.gitDir, "info"), { recursive: true });
    await writeFile(join(this.gitDir, "info/exclude"), `${OWN_FILES}\n`);
    await git(this.place, ["update-ref", "refs/heads/run", this.baseSha], { signal });
    await git(this.place, ["read-tree", "-u", "--reset", this.baseSha], { signal });
    await this.#giveHistory(signal);
  }

  /** The throw-away .git of the tree: made before any sandboxed code has run, so git may still be pointed at it. */
  async #giveHistory(signal: AbortSignal): Promise<void> {
    const visible = { gitDir: join(this.treeDir, ".git"), workTree: this.treeDir };
    await mkdir(visible.gitDir);
    await git(visible, ["init", "--quiet", "--template=", "--initial-branch=work"], { signal });
    await git(
      visible,
      [
        ...["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--update-head-ok", `--depth=${VISIBLE_HISTORY}`],
        ...[`file://${this.gitDir}`, "+refs/heads/run:refs/heads/work"],
      ],
      { allowsFile: true, signal },
    );
    await git(visible, ["read-tree", "refs/heads/work"], { signal });
    await git(visible, ["update-index", "--refresh", "-q"], { signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await removeTree(this.#dir);
  }
}
