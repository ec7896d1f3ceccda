/**
 * The set-up of a run in a person's own checkout: only what the settings file names, never what a lockfile suggests, and without the
 * installation's secrets, which would have to be searched for among the person's own files. What it makes stays in the checkout, so it
 * runs again only when what decides it has changed, or what it made is gone.
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { CommandRun, Journal } from "../journal.ts";
import type { Sandbox, SandboxOpening, SandboxSession } from "../sandbox/sandbox.ts";
import { EgressLog } from "./egress-log.ts";
import type { RepoSettings } from "./repo-settings.ts";
import { renderNetwork, renderSetUpBrief, runSetUp, type SetUpEnd, type SetUpParts } from "./set-up.ts";
import { inputsOf, KEPT_NAME, planSetUp, setUpKey, type SetUpPlan, type TreeEntry } from "./set-up-plan.ts";

export type LocalSetUpParts = Pick<SetUpParts, "network" | "image"> & {
  /** Where is noted what was set up in which checkout. */
  readonly stampsDir: string;
};

export type LocalSetUpGround = {
  readonly parts: LocalSetUpParts;
  readonly sandbox: Sandbox;
  readonly opening: Omit<SandboxOpening, "isReadOnly">;
  readonly settings: RepoSettings;
  readonly journal: Journal;
  /** An earlier process of the run has come past it. */
  readonly isDone: boolean;
};

/** To be called before any other session is open on the checkout. */
export async function setUpLocally(
  ground: LocalSetUpGround,
  signal: AbortSignal,
): Promise<Pick<SetUpEnd, "environment" | "brief">> {
  const { settings, opening, journal, isDone } = ground;
  // Submodules are the person's own: bringing them would take their git directories away.
  const rootFiles = (await readdir(opening.workspaceDir)).filter((name) => name !== ".gitmodules");
  const plan = settings.setup === undefined ? null : planSetUp(settings, rootFiles);
  const network = renderNetwork(settings.network.agent);
  if (plan === null) return { environment: {}, brief: network };
  const { environment } = plan;
  if (isDone) return { environment, brief: "" };
  const { command, isCached, log } = await install(ground, plan, signal);
  await journal.append({ kind: "set-up-finished", isCached, command });
  return { environment, brief: renderSetUpBrief(command, log, network) };
}

type Installed = { readonly command: CommandRun; readonly isCached: boolean; readonly log: EgressLog };

async function install(ground: LocalSetUpGround, plan: SetUpPlan, signal: AbortSignal): Promise<Installed> {
  const { parts, sandbox, opening, journal } = ground;
  await using log = new EgressLog(journal, "set-up");
  await using reader = await sandbox.open({ ...opening, isReadOnly: true });
  const stampPath = join(parts.stampsDir, createHash("sha256").update(opening.workspaceDir).digest("hex"));
  const keyNow = () => readKey({ plan, image: parts.image, reader }, signal);
  const key = await keyNow();
  const stamp = await readStamp(stampPath);
  if (key !== null && stamp?.key === key && (await areThere(reader, stamp.made, signal))) {
    return { command: { command: plan.title, exitCode: 0, wallMs: 0, outputTail: "" }, isCached: true, log };
  }
  const running = { plan: withIgnored(plan), secrets: {}, log };
  const command = await runSetUp({ sandbox, opening, network: parts.network }, running, signal);
  const after = await keyNow(); // An installer may write its own lockfile.
  if (command.exitCode === 0 && after !== null) {
    await mkdir(parts.stampsDir, { recursive: true, mode: 0o700 });
    await writeFile(stampPath, JSON.stringify({ key: after, made: await listIgnored(reader, signal) } satisfies Stamp));
  }
  return { command, isCached: false, log };
}

/** What tools keep beside the project is nothing of the person's: a folder that ignores itself does not show in git. */
function withIgnored(plan: SetUpPlan): SetUpPlan {
  if (!Object.values(plan.environment).some((value) => value.includes(KEPT_NAME))) return plan;
  return { ...plan, script: `mkdir -p ${KEPT_NAME}; echo '*' >${KEPT_NAME}/.gitignore\n${plan.script}` };
}

const Stamp = z.object({ key: z.string(), made: z.array(z.string()) });
type Stamp = z.infer<typeof Stamp>;

/** Null for none, or none that can be read: then the set-up runs, which is never wrong. */
async function readStamp(path: string): Promise<Stamp | null> {
  const text = await readFile(path, "utf8").catch(() => "null");
  return Stamp.nullable().catch(null).parse(parseJson(text));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

type Keying = { readonly plan: SetUpPlan; readonly image: string; readonly reader: SandboxSession };

/** More manifests than a workspace with hundreds of packages has; they go as arguments. */
const INPUTS_MAX = 500;
/** Of folders and files that git ignores: the first ones of a monorepo stand for the rest. */
const MADE_MAX = 200;

/** Null where git does not work inside the sandbox, as in a linked worktree, or has too much to tell. */
async function readKey({ plan, image, reader }: Keying, signal: AbortSignal): Promise<string | null> {
  const listed = await ask(reader, ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], signal);
  if (listed === null) return null;
  const paths = [...new Set(listed.split("\0"))].filter(inputsOf(plan)).toSorted();
  if (paths.length > INPUTS_MAX) return null;
  const script =
    'for path; do if [ -f "$path" ]; then git hash-object --no-filters -- "$path"; else echo none; fi; done';
  const hashed = await ask(reader, ["/bin/sh", "-c", script, "sh", ...paths], signal);
  const ids = hashed?.split("\n") ?? [];
  const entries = paths.map((path, i): TreeEntry => ({ path, mode: "100644", id: ids[i] ?? "" }));
  return hashed === null ? null : setUpKey(plan, { trust: "local", repoId: 0, image, secretNames: [], entries });
}

async function listIgnored(reader: SandboxSession, signal: AbortSignal): Promise<string[]> {
  const listed = await ask(reader, ["git", "ls-files", "-z", "-o", "-i", "--exclude-standard", "--directory"], signal);
  return (listed ?? "").split("\0").filter(Boolean).slice(0, MADE_MAX);
}

async function areThere(reader: SandboxSession, paths: readonly string[], signal: AbortSignal): Promise<boolean> {
  const script = 'for path; do [ -e "$path" ] || [ -L "$path" ] || exit 1; done';
  return (await ask(reader, ["/bin/sh", "-c", script, "sh", ...paths], signal)) !== null;
}

/** Null when it failed. */
async function ask(reader: SandboxSession, argv: readonly string[], signal: AbortSignal): Promise<string | null> {
  const limits = { timeoutMs: 60_000, outputBytesMax: 32 * 1024 * 1024 };
  const { exit, stdout } = await reader.exec({ argv, cwd: "", stdin: "", ...limits }, signal);
  return exit.kind === "exited" && exit.code === 0 ? stdout.toString() : null;
}
