/**
 * The sandbox: one bubblewrap per command, in namespaces of its own, without network, capabilities or a view of the host.
 * It never falls back to running outside; what cannot be isolated is not run.
 */
import { chmod, realpath, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isMainThread } from "node:worker_threads";
import { UserError } from "../failure.ts";
import {
  type Bind,
  bubblewrapArguments,
  environmentArguments,
  sandboxPath,
  type SandboxTools,
} from "./bubblewrap-arguments.ts";
import { checkBubblewrap } from "./bubblewrap-check.ts";
import { BubblewrapRunner } from "./bubblewrap-runner.ts";
import { Channel } from "./channel.ts";
import type { CgroupPlace } from "./cgroup-place.ts";
import { Cgroup, findCgroupPlace } from "./cgroup.ts";
import { NO_EGRESS, openEgress } from "./egress.ts";
import { DiskWatch } from "./disk-watch.ts";
import { writeEtcFolder } from "./etc-folder.ts";
import { bindTools, readTopLevel, stageUnreachable, unstaged } from "./host-paths.ts";
import { WorkspaceOwners } from "./owner.ts";
import { FILES, Launcher } from "./launcher.ts";
import { findReadOnlyPaths } from "./read-only-paths.ts";
import { resourceLimits } from "./resource-limits.ts";
import type { Sandbox, SandboxOpening, SandboxSession } from "./sandbox.ts";
import { seccompFilter } from "./seccomp.ts";
import { SerialSession } from "./serial-session.ts";
import { REMEDIES } from "./set-up-failure.ts";
import { giveStateFolder, makeStateFolder, removeLeftStateFolders } from "./state-folder.ts";
import { newWorkerName } from "./worker-name.ts";

/** Opens sessions that share tools, and as root a uid where they share a workspace. */
export function bubblewrapSandbox(tools: SandboxTools): Sandbox {
  const opener = new Opener(tools);
  return {
    driver: "bubblewrap",
    check: () =>
      checkBubblewrap({ tools, open: (opening) => opener.open(opening), findPlace: () => opener.findPlace() }),
    open: (opening) => opener.open(opening),
  };
}

class Opener {
  readonly #tools: SandboxTools;
  readonly #owners = new WorkspaceOwners();
  #place: Promise<CgroupPlace | null> | null = null;
  #sweep: Promise<void> | null = null;

  constructor(tools: SandboxTools) {
    this.#tools = tools;
  }

  /** The first call looks, and removes what dead workers left. */
  findPlace(): Promise<CgroupPlace | null> {
    return (this.#place ??= findCgroupPlace());
  }

  async open(opening: SandboxOpening): Promise<SandboxSession> {
    // --die-with-parent means the thread that started it: a worker thread's end would end the command.
    if (!isMainThread) throw new Error("A sandbox is opened from the main thread only.");
    const place = await this.findPlace();
    const filter = seccompFilter(process.arch, { countsMemory: place !== null });
    if (filter === null) throw new UserError(REMEDIES.seccomp);

    await using undo = new AsyncDisposableStack();
    const workspaceDir = await realpath(opening.workspaceDir);
    const readOnlyPaths = await findReadOnlyPaths(workspaceDir, opening.readOnlyPaths);
    const [topLevel, toolBinds] = await Promise.all([readTopLevel(), bindTools(this.#tools)]);
    await (this.#sweep ??= removeLeftStateFolders());
    const stateDir = await makeStateFolder();
    undo.defer(() => rm(stateDir, { recursive: true, force: true }));
    await chmod(stateDir, 0o711); // Nothing of it needs to be staged then; what matters in it is closed.
    const channel = await Channel.open(join(stateDir, "pipes"));
    const etcPaths = writeEtcFolder(join(stateDir, "etc"));
    const way = opening.egress
      ? await openEgress({ policy: opening.egress, ...this.#tools }, join(stateDir, "egress"), undo)
      : NO_EGRESS;
    const wanted: Bind[] = [
      readOnly({ source: join(stateDir, "etc"), target: "/etc" }),
      ...toolBinds,
      { source: workspaceDir, target: "/workspace", isWritable: !opening.isReadOnly },
      ...readOnlyPaths.map(readOnly),
      ...way.binds,
    ];
    // An ordinary user reaches what they may bind; there is nobody to stage it for them.
    const isRoot = process.getuid?.() === 0;
    const { binds, stagingDir, staged } = isRoot ? await stageUnreachable(wanted) : unstaged(wanted);
    const path = sandboxPath(this.#tools.tools);
    const { limits } = opening;
    const world = [
      ...bubblewrapArguments({ binds, topLevel, etcPaths, path, scratchBytes: limits.scratchBytes }),
      ...environmentArguments({ ...way.environment, ...opening.environment }),
    ];
    await writeFiles(channel, { world, filter });
    const cgroup = place && (await Cgroup.open(place, newWorkerName(), limits));
    if (cgroup) undo.defer(() => cgroup.close());
    const uid = isRoot ? await this.#takeOwnership({ ...opening, workspaceDir }, stateDir, undo) : null;
    const started = { joins: cgroup?.joins ?? [], limits: resourceLimits(limits, isRoot) };
    const launcher = new Launcher({ ...started, stagingDir, staged, uid, folder: channel.folder });
    undo.defer(() => launcher.close());
    const disk = new DiskWatch([opening.writtenDir ?? workspaceDir, stateDir], limits, workspaceDir);
    const runner = new BubblewrapRunner({
      ...{ wrap: way.wrap, readOnlyPaths, channel, launcher, cgroup, disk, hasOwnUser: isRoot, limits },
    });
    return new SerialSession((command, stopped) => runner.run(command, stopped), undo.move());
  }

  /** The uid commands run as when we are root; an ordinary user's run as they are. */
  async #takeOwnership(
    { workspaceDir, owner }: SandboxOpening,
    stateDir: string,
    undo: AsyncDisposableStack,
  ): Promise<number> {
    // A change of owner would copy every file of an overlay.
    const uid = owner ?? (await this.#owners.take(workspaceDir));
    if (uid !== owner) undo.defer(() => this.#owners.giveBack(workspaceDir));
    await giveStateFolder(stateDir, uid);
    return uid;
  }
}

function readOnly({ source, target }: Pick<Bind, "source" | "target">): Bind {
  return { source, target, isWritable: false };
}

/** What bubblewrap reads for each command. */
async function writeFiles(
  channel: Channel,
  { world, filter }: { readonly world: readonly string[]; readonly filter: Buffer },
): Promise<void> {
  await writeFile(channel.path(FILES.world), world.map((argument) => `${argument}\0`).join(""), { mode: 0o400 });
  await writeFile(channel.path(FILES.seccomp), filter, { mode: 0o400 });
}
