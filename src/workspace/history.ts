/** Keeps the throw-away .git beside the mirror, so that a run copies a few files instead of packing every blob of its tree. */
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { lockExclusive } from "../file-lock.ts";
import type { GitPlace } from "./git-command.ts";
import type { Mirror } from "./mirror.ts";
import { showHistory } from "./stores.ts";
import { warmDirOf } from "./warm.ts";

/** Each move of the base adds a pack; with more of them git is slow and the copy large, and one new one is better. */
const PACKS_MAX = 20;
/** Making it takes seconds for a very large repository. */
const TURN_MS_MAX = 300_000;

type Wanted = { readonly mirror: Mirror; readonly sha: string; readonly place: GitPlace; readonly treeDir: string };

/** Puts a .git without an index into the tree: branch `work` at `sha`, with history. */
export async function copyHistory({ mirror, sha, place, treeDir }: Wanted, signal: AbortSignal): Promise<void> {
  const dir = warmDirOf(mirror);
  const [kept, fresh, visible] = [join(dir, "history"), join(dir, "history.new"), join(treeDir, ".git")];
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const turn = await lockExclusive(join(dir, "history.turn"), TURN_MS_MAX);
  try {
    const commit = await readFile(join(kept, "pullwright-commit"), "utf8").catch(() => null);
    const packs = await readdir(join(kept, "objects/pack")).catch(() => []);
    if (commit !== null && packs.length <= PACKS_MAX * FILES_PER_PACK) await cp(kept, visible, { recursive: true });
    if (commit !== sha) {
      await showHistory(place, treeDir, signal);
      await rm(fresh, { recursive: true, force: true });
      await cp(visible, fresh, { recursive: true });
      await writeFile(join(fresh, "pullwright-commit"), sha);
      await rm(kept, { recursive: true, force: true });
      await rename(fresh, kept);
    }
    await rm(join(visible, "pullwright-commit"), { force: true });
  } finally {
    turn.release();
  }
}

/** .pack and .idx. */
const FILES_PER_PACK = 2;
