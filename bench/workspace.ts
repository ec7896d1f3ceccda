/**
 * `npm run bench:workspace [-- --files 50000 --commits 2000 --rounds 3 --dir /var/tmp]`: what a run of a large repository waits for.
 * Generates the repository, then measures clone, work tree, checkpoint and restore beside plain git and a tar extraction, all in one
 * run and on one file system. Prints tables in Markdown. As root the overlay is measured, too.
 */
import { chmod, lchown, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  packCheckpoint,
  restoreCheckpoint,
  takeCheckpoint,
  unpackCheckpoint,
  type Checkpoint,
} from "../src/workspace/checkpoint.ts";
import type { Mirror } from "../src/workspace/mirror.ts";
import { unmountBelow } from "../src/workspace/overlay.ts";
import { removeTree } from "../src/workspace/remove-tree.ts";
import { prepareSpare } from "../src/workspace/spare.ts";
import { Workspace } from "../src/workspace/workspace.ts";
import { pathOf } from "./workspace/repository.ts";
import { median, render, run, timed, type Row } from "./workspace/measure.ts";

const { values } = parseArgs({
  options: {
    files: { type: "string", default: "50000" },
    commits: { type: "string", default: "2000" },
    rounds: { type: "string", default: "3" },
    dir: { type: "string", default: "/var/tmp" },
  },
});
const files = Number(values.files);
const rounds = Number(values.rounds);
const signal = AbortSignal.timeout(3_600_000);
const ROADS = [
  ...(process.getuid?.() === 0 ? [{ road: "overlay", overlayFilesMin: 0, partMax: 1 / 100 }] : []),
  { road: "checkout", overlayFilesMin: Infinity, partMax: 1 / 30 },
] as const;
const EDITS = 500;
/** Checkpoint and status by turns: on a shared machine single ones differ by half. */
const PAIRS = 5;
/** Rows that targets are about. */
const ONE = {
  checkpoint: "checkpoint after one edit",
  status: "git status after one edit",
  restore: "restore of one edit",
} as const;

const folder = await mkdtemp(join(values.dir, "pullwright-bench-"));
await chmod(folder, 0o711);
try {
  await report();
} finally {
  await unmountBelow(folder); // Of a run that could not be measured to its end.
  await removeTree(folder);
}

async function report(): Promise<void> {
  const origin = join(folder, "origin.git");
  // In a process of its own: what it leaves in memory would make each fork of ours slower.
  const maker = join(import.meta.dirname, "workspace/repository.ts");
  const made = await timed(() => run(process.execPath, [maker, origin, values.files, values.commits]));
  console.log(
    `${files} files, ${values.commits} commits, made in ${(made.ms / 1000).toFixed(1)} s, ${rounds} rounds.\n`,
  );
  const clone = await measureClones(origin);
  for (const road of ROADS) await measureRoad(road, { gitDir: join(folder, "mirror.git") }, clone);
}

/** Plain ways first. Resolves to the time of a full clone to a clean status. */
async function measureClones(origin: string): Promise<number> {
  const mirror = join(folder, "mirror.git");
  const fill = await timed(() => run("git", ["clone", "--quiet", "--mirror", `file://${origin}`, mirror]));
  const ways: Record<string, number[]> = { clone: [], worktree: [], tar: [] };
  for (let round = 0; round < rounds; round++) {
    const [cloned, tree, extracted] = ["clone", "tree", "extracted"].map((name) => join(folder, `${name}-${round}`));
    if (!cloned || !tree || !extracted) return 0;
    ways["clone"]?.push(await untilClean(cloned, () => run("git", ["clone", "--quiet", `file://${origin}`, cloned])));
    const add = ["-C", mirror, "worktree", "add", "--quiet", "--detach", tree, "main"];
    ways["worktree"]?.push(await untilClean(tree, () => run("git", add)));
    const archive = join(folder, "tree.tar");
    if (round === 0) await run("git", ["-C", mirror, "archive", "--format=tar", "-o", archive, "main"]);
    await mkdir(extracted);
    ways["tar"]?.push((await timed(() => run("tar", ["-xf", archive, "-C", extracted]))).ms);
    await run("git", ["-C", mirror, "worktree", "remove", "--force", tree]);
    for (const path of [cloned, extracted]) await rm(path, { recursive: true, force: true });
  }
  const clone = median(ways["clone"] ?? []);
  console.log(
    render("Plain ways", [
      { name: "mirror, first fill (once)", ms: [fill.ms] },
      { name: "git clone and git status", ms: ways["clone"] ?? [] },
      { name: "git worktree add and git status", ms: ways["worktree"] ?? [] },
      { name: "tar extraction (no git)", ms: ways["tar"] ?? [] },
    ]),
  );
  return clone;
}

async function untilClean(tree: string, make: () => Promise<string>): Promise<number> {
  const made = await timed(make);
  return made.ms + (await cleanStatus(tree));
}

/** As sandboxed code sees it: the visible .git alone, whoever owns it. */
async function cleanStatus(tree: string): Promise<number> {
  const status = await timed(() => run("git", ["-c", "safe.directory=*", "-C", tree, "status", "--porcelain"]));
  if (status.value !== "") throw new Error(`not clean: ${status.value.slice(0, 200)}`);
  return status.ms;
}

type Road = (typeof ROADS)[number];

async function measureRoad({ road, overlayFilesMin, partMax }: Road, mirror: Mirror, clone: number): Promise<void> {
  const sha = (await run("git", ["-C", mirror.gitDir, "rev-parse", "main"])).trim();
  // The next run's checkout is written here and not by the workspaces, so that none is measured while another is written.
  const opening = { mirror, sha, runsDir: join(folder, "runs"), overlayFilesMin, spareFilesMin: Infinity };
  const open = () => Workspace.open(opening, signal);
  const ahead: number[] = [];
  const first = await timed(open);
  await first.value[Symbol.asyncDispose]();
  const [opened, status, closed]: [number[], number[], number[]] = [[], [], []];
  const steps: Row[][] = [];
  for (let round = 0; round < rounds; round++) {
    if (overlayFilesMin === Infinity) ahead.push((await timed(() => prepareSpare({ mirror, sha }, signal))).ms);
    const made = await timed(open);
    const workspace = made.value;
    opened.push(made.ms);
    status.push(await cleanStatus(workspace.treeDir));
    steps.push(await measureCheckpoints(workspace, open));
    closed.push((await timed(() => workspace[Symbol.asyncDispose]())).ms);
  }
  const whole = opened.map((ms, i) => ms + (status[i] ?? 0));
  console.log(
    render(`By ${road}`, [
      { name: "first run's work tree (no warm checkout yet)", ms: [first.ms] },
      { name: "work tree from a warm mirror", ms: opened },
      { name: "first git status in it", ms: status },
      { name: "both", ms: whole },
      ...(steps[0] ?? []).map(({ name }, i) => ({ name, ms: steps.flatMap((rows) => rows[i]?.ms ?? []) })),
      { name: "removal", ms: closed },
      ...(ahead.length > 0 ? [{ name: "the next run's checkout, written while a run works", ms: ahead }] : []),
    ]),
  );
  const part = median(whole) / clone;
  const verdict = (is: boolean) => (is ? "held" : "missed");
  const middle = (name: string) => median(steps.flatMap((rows) => rows.find((row) => row.name === name)?.ms ?? []));
  const [taken, asked, back] = [ONE.checkpoint, ONE.status, ONE.restore].map(middle);
  console.log(
    [
      `- To a clean status: 1/${(1 / part).toFixed(1)} of a full clone, target 1/${(1 / partMax).toFixed(0)}: ${verdict(part <= partMax)}.`,
      ...ratio("A checkpoint after one edit", { is: taken, of: asked, what: "git status", max: 1 }),
      ...ratio("A restore of one edit", { is: back, of: taken, what: "checkpoint", max: 2 }),
      "",
    ].join("\n"),
  );
}

type Ratio = {
  readonly is: number | undefined;
  readonly of: number | undefined;
  readonly what: string;
  readonly max: number;
};

function ratio(name: string, { is = Number.NaN, of = Number.NaN, what, max }: Ratio): string[] {
  return [`- ${name}: ${(is / of).toFixed(1)} times a ${what}, target ${max}: ${is / of <= max ? "held" : "missed"}.`];
}

async function measureCheckpoints(workspace: Workspace, open: () => Promise<Workspace>): Promise<Row[]> {
  const rows: { readonly name: string; readonly ms: number[] }[] = [];
  const measure = async <T>(name: string, act: () => Promise<T>): Promise<T> => {
    const { ms, value } = await timed(act);
    const row = rows.find((each) => each.name === name);
    if (row) row.ms.push(ms);
    else rows.push({ name, ms: [ms] });
    return value;
  };
  const take = () => takeCheckpoint(workspace, signal);
  let before = await measure("checkpoint of an untouched tree", take);
  let one = before;
  for (let file = 0; file < PAIRS; file++) {
    await edit(workspace, [file]);
    before = one;
    one = await measure(ONE.checkpoint, take);
    await measure(ONE.status, () => dirtyStatus(workspace.treeDir));
  }
  await measure(ONE.restore, () => restoreCheckpoint(workspace, before, signal));
  await restoreCheckpoint(workspace, one, signal);
  await edit(
    workspace,
    Array.from({ length: EDITS }, (_, i) => (i * 97) % files),
  );
  const many = await measure(`checkpoint after ${EDITS} edits`, take);
  await measure(`git status after ${EDITS} edits`, () => dirtyStatus(workspace.treeDir));
  const pack = await measure(`pack of ${EDITS} edits`, () => packOf(workspace, many, one));
  await measure(`restore of ${EDITS} edits`, () => restoreCheckpoint(workspace, one, signal));
  const earlier = await packOf(workspace, one, null);
  await using other = await open();
  await measure(`another workspace: packs taken in and restored (${(pack.length / 1024).toFixed(0)} kB)`, async () => {
    for (const part of [earlier, pack]) await unpackCheckpoint(other, part, signal);
    await restoreCheckpoint(other, many, signal);
  });
  const path = pathOf(97);
  const texts = await Promise.all([other, workspace].map(({ treeDir }) => readFile(join(treeDir, path), "utf8")));
  if (!texts[0]?.includes("edited") || texts[1]?.includes("edited")) throw new Error("a restore did not restore");
  return rows;
}

function packOf(workspace: Workspace, checkpoint: Checkpoint, previous: Checkpoint | null): Promise<Buffer> {
  return packCheckpoint(workspace, { checkpoint, previous }, signal);
}

/** One line more, by the tree's owner. */
async function edit({ treeDir }: Workspace, which: readonly number[]): Promise<void> {
  for (const file of which) {
    const path = join(treeDir, pathOf(file));
    const { uid, gid } = await stat(path);
    await writeFile(path, `${await readFile(path, "utf8")}// edited\n`);
    if (process.getuid?.() === 0) await lchown(path, uid, gid);
  }
}

async function dirtyStatus(tree: string): Promise<void> {
  await run("git", ["-c", "safe.directory=*", "-C", tree, "status", "--porcelain"]);
}
