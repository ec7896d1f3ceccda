/** The two git directories of a tree: ours beside it, and the throw-away one inside, which is made before sandboxed code runs. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fetchMissing, isBlobless, promisedFrom } from "./blobless.ts";
import type { GitPlace } from "./git-command.ts";
import { gitPipe } from "./git-pipe.ts";

/** Commits that `git log` and `git blame` inside the sandbox can see. More costs time and disk for each warm checkout. */
const VISIBLE_HISTORY = 50;

/** What the file tools write first and rename after; a killed one may leave some behind. */
const OWN_FILES = ".pullwright-*";

/**
 * Times and sizes alone say whether a file was touched: in an overlay files have another owner, and new inodes once written.
 * With git's own default the first `git status` would hash the whole tree again (1.2 s instead of 0.2 s for 11,404 files).
 */
export const LOOSE_STAT = ["core.checkStat=minimal", "core.trustctime=false"] as const;

/** No search for deltas in showHistory: what the mirror has packed well is passed on as it is. It may ask for single files, too. */
const STORE =
  "[core]\n\trepositoryformatversion = 0\n\tbare = true\n[pack]\n\twindow = 0\n" +
  "[uploadpack]\n\tallowFilter = true\n\tallowAnySHA1InWant = true\n";

/** An empty repository of ours that borrows the objects of `mirrorGitDir` and whose branch `run` is `sha`. Without git, which takes longer. */
export async function makeStore(
  gitDir: string,
  { mirrorGitDir, sha }: { readonly mirrorGitDir: string; readonly sha: string },
): Promise<void> {
  await mkdir(gitDir, { mode: 0o700 });
  await writeRepository(gitDir, {
    HEAD: "ref: refs/heads/run\n",
    config: STORE,
    "objects/info/alternates": `${join(mirrorGitDir, "objects")}\n`,
    "info/exclude": `${OWN_FILES}\n`,
    "refs/heads/run": `${sha}\n`,
  });
}

/** The .git of the tree, with branch `work` at the store's `run` and some history below; its index is the caller's. */
export async function showHistory(place: GitPlace, treeDir: string, signal: AbortSignal): Promise<void> {
  const visible = { gitDir: join(treeDir, ".git"), workTree: treeDir };
  await makeVisible(visible.gitDir);
  const url = `file://${place.gitDir}`;
  const promised = (await borrowsBlobless(place)) ? promisedFrom(url) : null;
  const options = {
    // The mirror has checked these objects when they came from the forge.
    ...{ allowsFile: true, settings: ["transfer.fsckObjects=false", ...(promised?.settings ?? [])], signal },
  };
  await gitPipe(
    visible,
    [
      ...["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--update-head-ok", `--depth=${VISIBLE_HISTORY}`],
      ...[...(promised ? [promised.filter, promised.name] : [url]), "+refs/heads/run:refs/heads/work"],
    ],
    options,
  );
  if (promised) await fetchMissing(visible, { commits: ["refs/heads/work"], url }, options);
}

/** Then old files are missing from the history as well: it has the commits, and the newest one's files. */
async function borrowsBlobless({ gitDir }: GitPlace): Promise<boolean> {
  const objects = (await readFile(join(gitDir, "objects/info/alternates"), "utf8")).trim();
  return isBlobless({ gitDir: dirname(objects) });
}

/** Nothing happens when it is there. */
async function makeVisible(gitDir: string): Promise<void> {
  if ((await mkdir(gitDir, { recursive: true })) === undefined) return;
  const loose = LOOSE_STAT.map((setting) => `\t${setting.replace("core.", "").replace("=", " = ")}\n`).join("");
  await writeRepository(gitDir, {
    HEAD: "ref: refs/heads/work\n",
    config: `[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tlogallrefupdates = true\n${loose}`,
  });
}

/** What `git init` makes, without a process. */
async function writeRepository(gitDir: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const folder of ["objects/info", "objects/pack", "refs/heads", "info"])
    await mkdir(join(gitDir, folder), { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(join(gitDir, name), text);
}
