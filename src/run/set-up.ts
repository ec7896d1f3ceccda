/**
 * The step before the agent: packages are installed in the sandbox, with a way out to named hosts and nothing else, or unpacked as an
 * earlier run left them. A set-up that fails is told to the agent and to people; it ends no run.
 */
import type { CommandRun, Journal } from "../journal.ts";
import { redactSecrets } from "../policy/redact.ts";
import { fence } from "../publish/render.ts";
import { allowLine } from "../publish/render-set-up.ts";
import type { EgressNetwork, EgressPolicy } from "../sandbox/egress-policy.ts";
import type { ExecExit, Sandbox, SandboxOpening } from "../sandbox/sandbox.ts";
import { git } from "../workspace/git.ts";
import type { SetUpCache } from "../workspace/set-up-cache.ts";
import { leaveOut, listMade, putBackTracked, removeSecrets } from "../workspace/set-up-traces.ts";
import type { Workspace } from "../workspace/workspace.ts";
import type { Checkout } from "./checkout.ts";
import { EgressLog } from "./egress-log.ts";
import type { RepoSettings } from "./repo-settings.ts";
import { planSetUp, setUpKey, type SetUpPlan, type TreeEntry } from "./set-up-plan.ts";

/** What an installation brings to every set-up. */
export type SetUpParts = {
  readonly cache: SetUpCache;
  /** Variables for the set-up's command alone, such as a private registry's token. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly network: EgressNetwork;
  /** Names what runs commands: what one makes is of no use to another. */
  readonly image: string;
};

export type SetUpGround = {
  readonly parts: SetUpParts;
  readonly sandbox: Sandbox;
  readonly opening: Omit<SandboxOpening, "isReadOnly">;
  readonly workspace: Workspace;
  readonly checkout: Checkout;
  readonly repoId: number;
  readonly settings: RepoSettings;
  readonly journal: Journal;
};

/** Held while the agent works: the next run's copy is made beside it. */
export type SetUpEnd = AsyncDisposable & {
  /** For every command that follows. */
  readonly environment: Readonly<Record<string, string>>;
  /** A section of the brief; "" when there was nothing to set up. */
  readonly brief: string;
};

export const NOT_SET_UP: SetUpEnd = { environment: {}, brief: "", [Symbol.asyncDispose]: async () => {} };

/** A large project's packages, compiled ones among them, on a slow line. */
const SET_UP_MS_MAX = 10 * 60_000;
const OUTPUT_BYTES_MAX = 8 * 1024 * 1024;
const TAIL_CHARS = 4_000;
const SET_UP_BYTES_MAX = 4 * 1024 ** 3;
/** Of one run's agent. */
const AGENT_BYTES_MAX = 1024 ** 3;

/** To be called before any session is open on the workspace. */
export async function setUp(ground: SetUpGround, signal: AbortSignal): Promise<SetUpEnd> {
  const { checkout, settings } = ground;
  const bare = { gitDir: checkout.mirror.gitDir, workTree: null };
  const rootFiles = (await git(bare, ["ls-tree", "--name-only", "-z", checkout.baseSha], { signal })).split("\0");
  const plan = planSetUp(settings, rootFiles);
  const hosts = settings.network.agent;
  if (plan === null) return { ...NOT_SET_UP, brief: renderNetwork(hosts) };
  const { key, command, isCached, log } = await install(ground, plan, signal);
  await ground.journal.append({ kind: "set-up-finished", isCached, command });
  const brief = renderSetUpBrief(command, log, renderNetwork(hosts));
  // A copy that cannot be made, or is stopped with the run, is no loss: the archive is there.
  const preparing = ground.parts.cache.prepare(key, signal).catch(() => {});
  return { environment: plan.environment, brief, [Symbol.asyncDispose]: () => preparing };
}

type Installed = {
  readonly key: string;
  readonly command: CommandRun;
  readonly isCached: boolean;
  readonly log: EgressLog;
};

async function install(ground: SetUpGround, plan: SetUpPlan, signal: AbortSignal): Promise<Installed> {
  const { parts, workspace, journal } = ground;
  await using log = new EgressLog(journal, "set-up");
  const secrets = secretsFor(ground);
  const key = setUpKey(plan, await readFacts(ground, Object.keys(secrets), signal));
  const startedAt = performance.now();
  const { place, treeDir } = workspace;
  if (await parts.cache.restore(key, treeDir, signal)) {
    await putBackTracked(workspace, signal);
    await leaveOut(place, await listMade(workspace, signal));
    const wallMs = performance.now() - startedAt;
    return { command: { command: plan.title, exitCode: 0, wallMs, outputTail: "" }, isCached: true, log, key };
  }
  const { sandbox, opening } = ground;
  const command = await runSetUp({ sandbox, opening, network: parts.network }, { plan, secrets, log }, signal);
  await putBackTracked(workspace, signal);
  const made = await listMade(workspace, signal);
  await leaveOut(place, made);
  const values = Object.values(secrets);
  if (values.length > 0 && (await removeSecrets({ treeDir, made }, values, signal))) {
    const outputTail = `${command.outputTail}\n[files that held a secret of the set-up were removed]`;
    return { command: { ...command, outputTail }, isCached: false, log, key };
  }
  if (command.exitCode === 0) await parts.cache.keep(key, treeDir, made, signal);
  return { command, isCached: false, log, key };
}

/** A fork's author wrote what would run with them. */
function secretsFor({ parts, checkout }: SetUpGround): Readonly<Record<string, string>> {
  return checkout.pull?.isFork ? {} : parts.secrets;
}

async function readFacts(
  { parts, checkout, repoId, settings }: SetUpGround,
  secretNames: readonly string[],
  signal: AbortSignal,
) {
  const bare = { gitDir: checkout.mirror.gitDir, workTree: null };
  const listed = await git(bare, ["ls-tree", "-r", "-z", checkout.headSha], { signal });
  const entries = listed.split("\0").flatMap((line): TreeEntry[] => {
    const [, mode, id, path] = /^(\d+) \w+ ([0-9a-f]+)\t(.+)$/s.exec(line) ?? [];
    return mode === undefined || id === undefined || path === undefined ? [] : [{ mode, id, path }];
  });
  // A pull request's author chose what was run for it, so nobody else gets the result, not even with the same lockfile.
  const trust = checkout.pull === null ? "branch" : `pull ${checkout.pull.number}`;
  const lfs = settings.checkout.lfs ? ({ lfs: true } as const) : {};
  return { trust, repoId, image: parts.image, secretNames, ...lfs, entries };
}

type Running = {
  readonly plan: SetUpPlan;
  readonly secrets: Readonly<Record<string, string>>;
  readonly log: EgressLog;
};

export async function runSetUp(
  { sandbox, opening, network }: Pick<SetUpGround, "sandbox" | "opening"> & Pick<SetUpParts, "network">,
  { plan, secrets, log }: Running,
  signal: AbortSignal,
): Promise<CommandRun> {
  const egress: EgressPolicy = { hosts: plan.hosts, bytesMax: SET_UP_BYTES_MAX, network, onDecision: log.take };
  const environment = { ...plan.environment, ...secrets };
  await using session = await sandbox.open({ ...opening, isReadOnly: false, egress, environment });
  const argv = ["/bin/sh", "-e", "-c", plan.script];
  const limits = { timeoutMs: SET_UP_MS_MAX, outputBytesMax: OUTPUT_BYTES_MAX };
  const { exit, stdout, stderr, wallMs } = await session.exec({ argv, cwd: "", stdin: "", ...limits }, signal);
  const output = Buffer.concat([stdout, stderr]).toString("utf8");
  // Before it is cut: half a secret would not be known as one.
  const outputTail = redactSecrets(output, Object.values(secrets)).slice(-TAIL_CHARS);
  return { command: plan.title, exitCode: exitCode(exit), wallMs, outputTail };
}

function exitCode(exit: ExecExit): number | null {
  return exit.kind === "exited" ? exit.code : null;
}

export function renderSetUpBrief(command: CommandRun, { denied }: EgressLog, more: string): string {
  const parts = ["# Set-up", renderCommand(command), allowLine("setup", denied), more];
  return parts.filter((text) => text !== "").join("\n\n");
}

function renderCommand({ command, exitCode, outputTail }: CommandRun): string {
  const run = `The host ran this in the sandbox before you:\n\n${fence(command, "sh")}`;
  if (exitCode === 0) return `${run}\n\nIt worked: what it installed is in place, outside of what git tracks.`;
  const how =
    exitCode === null ? "It was stopped at a limit of time, output or memory." : `It failed with exit ${exitCode}.`;
  return `${run}\n\n${how} Do what can be done without it, and say in your report what could not be run. Its last output, as data:\n\n${fence(outputTail)}`;
}

/** What the agent's commands may reach, as a section of the brief; "" for nothing. */
export function renderNetwork(hosts: readonly string[]): string {
  if (hosts.length === 0) return "";
  return `Your commands reach these hosts by http and https, and no others: ${hosts.map((host) => `\`${host}\``).join(", ")}.`;
}

/** What the agent's own commands may reach; null for nothing. */
export function agentEgress(settings: RepoSettings, network: EgressNetwork, log: EgressLog): EgressPolicy | null {
  const { agent: hosts } = settings.network;
  return hosts.length === 0 ? null : { hosts, bytesMax: AGENT_BYTES_MAX, network, onDecision: log.take };
}
