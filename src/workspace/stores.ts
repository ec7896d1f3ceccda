/** The two git directories of a tree: ours beside it, and the throw-away one inside, which is made before sandboxed code runs. */
import { appendFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { git, type GitPlace } from "./git.ts";

/** Commits that `git log` and `git blame` inside the sandbox can see. More costs time and disk for each warm checkout. */
const VISIBLE_HISTORY = 50;

/** What the file tools write first and rename after; a killed one may leave some behind. */
const OWN_FILES = ".pullwright-*";

/**
 * Times and sizes alone say whether a file was touched: in an overlay files have another owner, and new inodes once written.
 * With git's own default the first `git status` would hash the whole tree again (1.2 s instead of 0.2 s for 11,404 files).
 */
export const LOOSE_STAT = ["core.checkStat=minimal", "core.trustctime=false"] as const;

/** An empty repository of ours that borrows the objects of `mirrorGitDir` and whose branch `run` is `sha`. */
export async function makeStore(
  gitDir: string,
  { mirrorGitDir, sha }: { readonly mirrorGitDir: string; readonly sha: string },
  signal: AbortSignal,
): Promise<void> {
  const place = { gitDir, workTree: null };
  await mkdir(gitDir, { mode: 0o700 });
  await git(place, ["init", "--quiet", "--bare", "--template="], { signal });
  // For showHistory: what the mirror has packed well is passed on as it is.
  await appendFile(join(gitDir, "config"), "[pack]\n\twindow = 0\n");
  await mkdir(join(gitDir, "objects/info"), { recursive: true });
  await writeFile(join(gitDir, "objects/info/alternates"), `${join(mirrorGitDir, "objects")}\n`);
  await mkdir(join(gitDir, "info"), { recursive: true });
  await writeFile(join(gitDir, "info/exclude"), `${OWN_FILES}\n`);
  await git(place, ["update-ref", "refs/heads/run", sha], { signal });
}

/** The .git of the tree, with branch `work` at the store's `run` and some history below; its index is the caller's. */
export async function showHistory(place: GitPlace, treeDir: string, signal: AbortSignal): Promise<void> {
  const visible = { gitDir: join(treeDir, ".git"), workTree: treeDir };
  const isNew = (await mkdir(visible.gitDir, { recursive: true })) !== undefined;
  if (isNew) await git(visible, ["init", "--quiet", "--template=", "--initial-branch=work"], { signal });
  await git(
    visible,
    [
      ...["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--update-head-ok", `--depth=${VISIBLE_HISTORY}`],
      ...[`file://${place.gitDir}`, "+refs/heads/run:refs/heads/work"],
    ],
    // The mirror has checked these objects when they came from the forge.
    { allowsFile: true, settings: ["transfer.fsckObjects=false"], signal },
  );
  if (!isNew) return;
  for (const setting of LOOSE_STAT) await git(visible, ["config", ...setting.split("=")], { signal });
}
