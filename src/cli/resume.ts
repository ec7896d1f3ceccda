/** `resume`: goes on with a local run whose process was lost or stopped, at the turn where it was; no reply is paid twice. */
import { existsSync } from "node:fs";
import { open, readdir } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { UserError } from "../failure.ts";
import type { JournalEntry, LocalStart } from "../journal.ts";
import { readSettings, type Settings } from "../settings.ts";
import { readJournalFile } from "../store/journal-file.ts";
import { carryOut, findCheckout, localRunsDir, withRunLock } from "./local-run.ts";

/** Journals whose first line is read in search of one that belongs to this checkout. */
const LOOKED_AT_MAX = 500;
/** Of runs that fit, named to choose from. */
const NAMED_MAX = 5;

export async function resume(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { json: { type: "boolean", default: false } },
    allowPositionals: true,
  });
  const [wanted, ...more] = positionals;
  if (more.length > 0) throw new UserError("usage: pullwright resume [--json] [RUN or journal file]");
  const settings = readSettings();
  const root = findCheckout(process.cwd());
  const path = await findJournal(settings, root, wanted);
  const id = basename(path, ".jsonl");
  return withRunLock(path, async () => {
    const { written, bytesTorn } = await readWritten(path);
    const { task, local } = readStart(written, id);
    if (local.root !== root) {
      throw new UserError(`Run ${id} works in ${local.root}, and you stand in ${root}. Go there to resume it.`);
    }
    const torn = bytesTorn > 0 ? `; the last line was torn (${bytesTorn} bytes) and is cut off` : "";
    console.error(`pullwright: resuming run ${id} after ${written.length} journal entries${torn}`);
    return carryOut(settings, { id, path, root, task, written, wantsOpinion: local.wantsOpinion, asJson: values.json });
  });
}

async function readWritten(path: string): Promise<{ written: readonly JournalEntry[]; bytesTorn: number }> {
  const { entries, bytes, bytesWhole } = await readJournalFile(path);
  return { written: entries.map(({ entry }) => entry), bytesTorn: bytes - bytesWhole };
}

type Start = { readonly task: string; readonly local: LocalStart };

/** Throws UserError for a run that cannot be gone on with, saying why. */
function readStart(written: readonly JournalEntry[], id: string): Start {
  const [started] = written;
  if (started?.kind !== "started")
    throw new UserError(`Run ${id} was lost before it began. Start it anew: pullwright run`);
  const finished = written.find((entry) => entry.kind === "finished");
  if (finished) {
    throw new UserError(
      `Run ${id} has ended (${finished.outcome.kind}). What is left to do is a new run: pullwright run`,
    );
  }
  if (!started.local) {
    throw new UserError(
      `The journal of run ${id} does not say where it works: an older version wrote it, or a server.`,
    );
  }
  return { task: started.title, local: started.local };
}

/** A file, the one run whose id begins so, or this checkout's newest. */
async function findJournal(settings: Settings, root: string, wanted: string | undefined): Promise<string> {
  if (wanted?.endsWith(".jsonl")) {
    if (existsSync(wanted)) return resolve(wanted);
    throw new UserError(`There is no file ${wanted}.`);
  }
  const dir = localRunsDir(settings);
  const ids = (await listJournals(dir)).map((name) => basename(name, ".jsonl"));
  if (wanted === undefined) return findNewest(dir, root, ids);
  const fitting = ids.filter((id) => id.startsWith(wanted));
  const id = fitting.find((one) => one === wanted || fitting.length === 1);
  if (id !== undefined) return join(dir, `${id}.jsonl`);
  const named = (fitting.length > 0 ? fitting : ids).slice(0, NAMED_MAX).join(", ") || "none";
  throw new UserError(
    fitting.length > 0
      ? `Several runs begin with "${wanted}": ${named}`
      : `There is no run "${wanted}". The newest: ${named}`,
  );
}

async function findNewest(dir: string, root: string, ids: readonly string[]): Promise<string> {
  for (const id of ids.slice(0, LOOKED_AT_MAX)) {
    const path = join(dir, `${id}.jsonl`);
    if ((await readRoot(path)) === root) return path;
  }
  throw new UserError(`No run was begun in ${root}, as far as ${dir} says.`);
}

/** Newest first: an id is the time its run began. */
async function listJournals(dir: string): Promise<readonly string[]> {
  const names = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  return names
    .filter((name) => name.endsWith(".jsonl"))
    .toSorted()
    .toReversed();
}

/** Only the first line is read: a journal may be long. Null for one that says nothing of a checkout. */
async function readRoot(path: string): Promise<string | null> {
  await using file = await open(path);
  for await (const line of file.readLines({ autoClose: false })) {
    try {
      const first = JSON.parse(line);
      return first?.entry?.local?.root ?? null;
    } catch (error) {
      if (error instanceof SyntaxError) return null; // Torn or damaged; told when it is asked for by name.
      throw error;
    }
  }
  return null;
}
