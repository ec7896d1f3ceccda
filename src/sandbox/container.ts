/**
 * The other sandbox: one hardened container for each session, by an engine that is there already (Docker or podman). It never falls
 * back to less; what the engine cannot isolate is not run.
 */
import { mkdir, readFile, readlink, realpath, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ContainerSettings } from "../container-settings.ts";
import { UserError } from "../failure.ts";
import { type Bind, innerEnvironment, sandboxPath, type SandboxTools } from "./bubblewrap-arguments.ts";
import { checkContainers, hasRuntime } from "./container-check.ts";
import { Engine, type EngineFacts, type ImageFacts } from "./container-engine.ts";
import { Container } from "./container-life.ts";
import { type ContainerPlan, planContainer } from "./container-plan.ts";
import { CONTAINER_REMEDIES, pullRemedy } from "./container-remedies.ts";
import { ContainerRunner } from "./container-runner.ts";
import { INPUT_FOLDER } from "./container-scripts.ts";
import { DiskWatch } from "./disk-watch.ts";
import { NO_EGRESS, openEgress } from "./egress.ts";
import { etcFiles } from "./etc-folder.ts";
import { bindTools } from "./host-paths.ts";
import { WorkspaceOwners } from "./owner.ts";
import { findReadOnlyPaths } from "./read-only-paths.ts";
import { processesOfUserMax } from "./resource-limits.ts";
import type { Sandbox, SandboxLimits, SandboxOpening, SandboxSession } from "./sandbox.ts";
import { seccompProfile } from "./seccomp-json.ts";
import { SerialSession } from "./serial-session.ts";
import { giveStateFolder, makeStateFolder, removeLeftStateFolders } from "./state-folder.ts";
import { isLeftByDeadWorker, newWorkerName } from "./worker-name.ts";

const LABELS = { session: "pullwright.session", boot: "pullwright.boot", processes: "pullwright.processes" } as const;
/** "nobody": process 1 has no rights, and no command has this user. */
const KEEPERS = ["65534:65534", "65533:65533"] as const;

export function containerSandbox(tools: SandboxTools, settings: ContainerSettings): Sandbox {
  const opener = new Opener(tools, settings);
  return {
    driver: "container",
    check: async () =>
      checkContainers({ tools, settings, engine: await opener.engine(), open: (opening) => opener.open(opening) }),
    open: (opening) => opener.open(opening),
  };
}

type User = { readonly uid: number; readonly gid: number };

class Opener {
  readonly #tools: SandboxTools;
  readonly #settings: ContainerSettings;
  readonly #owners = new WorkspaceOwners();
  #engine: Promise<Engine> | null = null;
  #facts: EngineFacts | null = null;
  #sweep: Promise<void> | null = null;

  constructor(tools: SandboxTools, settings: ContainerSettings) {
    this.#tools = tools;
    this.#settings = settings;
  }

  engine(): Promise<Engine> {
    return (this.#engine ??= Engine.open(this.#settings.socketPath));
  }

  async open(opening: SandboxOpening): Promise<SandboxSession> {
    const { engine, facts, image, profile } = await this.#ask();
    await (this.#sweep ??= removeLeft(engine));

    await using undo = new AsyncDisposableStack();
    const workspaceDir = await realpath(opening.workspaceDir);
    const readOnlyPaths = await findReadOnlyPaths(workspaceDir, opening.readOnlyPaths);
    const toolBinds = await bindTools(this.#tools);
    const stateDir = await makeStateFolder();
    undo.defer(() => rm(stateDir, { recursive: true, force: true }));
    const way = opening.egress
      ? await openEgress({ policy: opening.egress, ...this.#tools }, join(stateDir, "egress"), undo)
      : NO_EGRESS;
    const user = await this.#takeOwnership({ ...opening, workspaceDir }, facts, undo);
    const inputDir = join(stateDir, "input");
    await mkdir(inputDir, { mode: 0o755 });
    const etcBinds = await writeEtc(join(stateDir, "etc"), user);
    if (process.getuid?.() === 0) await giveStateFolder(stateDir, user.uid);
    const binds: Bind[] = [
      ...etcBinds,
      ...toolBinds,
      { source: workspaceDir, target: "/workspace", isWritable: !opening.isReadOnly },
      ...readOnlyPaths.map(({ source, target }) => ({ source, target, isWritable: false })),
      { source: inputDir, target: INPUT_FOLDER, isWritable: false },
      ...way.binds,
    ];
    await refuseSocket(this.#settings.socketPath, binds);
    const seccompFile = join(stateDir, "seccomp.json");
    await writeFile(seccompFile, profile);
    const { limits } = opening;
    const name = `${user.uid}:${user.gid}`;
    const plan = planContainer({
      ...{ ...this.#settings, ...facts, binds, volumes: image.volumes, limits },
      userProcessesMax: processesMaxOf(limits, facts),
      seccomp: facts.isPodman ? seccompFile : profile,
      labels: await labels(),
      keeper: KEEPERS[0] === name ? KEEPERS[1] : KEEPERS[0],
    });
    const runner = new ContainerRunner({
      start: () => startOn(engine, plan, workspaceDir),
      environment: environmentOf(image, this.#tools, { ...way.environment, ...opening.environment }),
      ...{ readOnlyPaths, wrap: way.wrap, user: name, limits, inputDir },
      disk: new DiskWatch([opening.writtenDir ?? workspaceDir, stateDir], limits, workspaceDir),
    });
    undo.defer(() => runner.close());
    await runner.start();
    return new SerialSession((command, stopped) => runner.run(command, stopped), undo.move());
  }

  /** What the engine has, or a UserError that says what it lacks. An image may be pulled anew between two sessions. */
  async #ask() {
    const engine = await this.engine();
    const facts = (this.#facts ??= await engine.readFacts());
    const image = await engine.readImage(this.#settings.image);
    if (image === null) {
      throw new UserError(`The sandbox image is not here. Run \`${pullRemedy(this.#settings.image)}\`.`);
    }
    const profile = seccompProfile(process.arch, { countsMemory: facts.limitsMemory });
    if (profile === null || !facts.hasSeccomp) throw new UserError(CONTAINER_REMEDIES.seccomp);
    if (!hasRuntime(facts, this.#settings)) throw new UserError(CONTAINER_REMEDIES.runtime);
    return { engine, facts, image, profile };
  }

  /** Whom commands run as, by the engine's numbers. As root it is a user that only this workspace has. */
  async #takeOwnership(
    { workspaceDir, owner }: SandboxOpening,
    { isRootless }: EngineFacts,
    undo: AsyncDisposableStack,
  ): Promise<User> {
    const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
    if (uid !== 0) return isRootless ? { uid: 0, gid: 0 } : { uid, gid };
    if (isRootless) throw new UserError(`The container engine is an ordinary user's. ${CONTAINER_REMEDIES.rootless}`);
    if (owner) return { uid: owner, gid: owner };
    const taken = await this.#owners.take(workspaceDir);
    undo.defer(() => this.#owners.giveBack(workspaceDir));
    return { uid: taken, gid: taken };
  }
}

/** The shell around the command and env count as the command's user. */
const OWN_USER_PROCESSES = 2;

/**
 * The kernel counts a user's processes over all containers and everything else they run, threads of this worker among them. So it holds a
 * command's only where nobody else has its user, or the engine cannot count by container.
 */
function processesMaxOf({ processesMax }: SandboxLimits, { limitsProcesses }: EngineFacts): number {
  const isAlone = process.getuid?.() === 0;
  return isAlone || !limitsProcesses ? processesMax + OWN_USER_PROCESSES : processesOfUserMax();
}

/** An engine with mounts of its own would show an empty folder where an overlay is mounted. Only root sees through its eyes. */
async function startOn(engine: Engine, plan: ContainerPlan, workspaceDir: string): Promise<Container> {
  const container = await Container.start(engine, plan);
  const [ours, theirs] = await Promise.all([
    stat(workspaceDir),
    stat(`/proc/${container.pid}/root/workspace`).catch(() => null),
  ]);
  if (theirs === null || (ours.dev === theirs.dev && ours.ino === theirs.ino)) return container;
  await container.end();
  throw new UserError(`The container engine shows another folder as the workspace. ${CONTAINER_REMEDIES.files}`);
}

/** Single files: all else of /etc is the image's. The engine would put in the host's names and name servers. */
async function writeEtc(folder: string, user: User): Promise<readonly Bind[]> {
  await mkdir(folder, { mode: 0o755 });
  const files = Object.entries(etcFiles(user)).filter(([name]) => name !== "nsswitch.conf");
  return Promise.all(
    files.map(async ([name, text]) => {
      const source = join(folder, name);
      await writeFile(source, text, { mode: 0o444 });
      return { source, target: join("/etc", name), isWritable: false };
    }),
  );
}

/** The image's variables stay, for its tool chains; its PATH comes after our own folders. */
function environmentOf(
  image: ImageFacts,
  { tools }: SandboxTools,
  more: Readonly<Record<string, string>>,
): readonly string[] {
  const pairs = image.environment.map((line) => [line.split("=")[0] ?? "", line.slice(line.indexOf("=") + 1)] as const);
  const theirs = Object.fromEntries(pairs);
  const usual = sandboxPath(tools).split(":");
  const ours = usual.slice(0, 1 + tools.length);
  const path = [...new Set([...ours, ...(theirs["PATH"] ?? "").split(":"), ...usual])].filter(
    (folder) => folder !== "",
  );
  const variables = { ...theirs, ...innerEnvironment(path.join(":")), ...more };
  return Object.entries(variables).map(([name, value]) => `${name}=${value}`);
}

/** A tool folder may hold it by mistake, such as /run. */
async function refuseSocket(socketPath: string, binds: readonly Bind[]): Promise<void> {
  const socket = await realpath(socketPath);
  const bind = binds.find(({ source }) => socket === source || socket.startsWith(`${source}/`));
  if (bind)
    throw new UserError(
      `The container engine's socket would be seen inside, in ${bind.target}. ${CONTAINER_REMEDIES.socket}`,
    );
}

/** Process ids mean something in one process namespace, until the next boot. */
async function labels(): Promise<Record<string, string>> {
  const boot = (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
  const processes = await readlink("/proc/self/ns/pid");
  return { [LABELS.session]: newWorkerName(), [LABELS.boot]: boot, [LABELS.processes]: processes };
}

/** Containers end with their worker's connection; this is for engines that were down or killed meanwhile. */
async function removeLeft(engine: Engine): Promise<void> {
  const own = await labels();
  for (const { labels: theirs, remove } of await engine.list(LABELS.session)) {
    const isOfThisBoot = theirs[LABELS.boot] === own[LABELS.boot];
    const isOfOurProcesses = theirs[LABELS.processes] === own[LABELS.processes];
    const isDead = isOfOurProcesses && isLeftByDeadWorker(theirs[LABELS.session] ?? "");
    if (!isOfThisBoot || isDead) await remove();
  }
  await removeLeftStateFolders();
}
