/**
 * What a container is made of: the hardening, in one place. Pure. Everything that is not said here is the engine's default; what looks
 * optional closed a leak of the defaults (logs that fill the disk, volumes nobody counts, names of the host).
 */
import type { Bind } from "./bubblewrap-arguments.ts";
import { keeperCommand } from "./container-scripts.ts";
import type { SandboxLimits } from "./sandbox.ts";

export type ContainerParts = {
  readonly image: string;
  readonly runtime: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly binds: readonly Bind[];
  /** Folders that the image would keep on a disk of its own. */
  readonly volumes: readonly string[];
  readonly limits: SandboxLimits;
  /** As the engine takes it: the profile, or the path of its file. */
  readonly seccomp: string;
  /** uid:gid of process 1 and the keeper; commands have another. */
  readonly keeper: string;
  readonly isRootless: boolean;
  readonly limitsMemory: boolean;
  /** How many processes the commands' user may have on this machine. */
  readonly userProcessesMax: number;
  readonly cpus: number;
};

export type ContainerPlan = ReturnType<typeof planContainer>;

/** No run may last longer than ten hours (PULLWRIGHT_MINUTES_MAX). */
export const IDLE_SECONDS = 12 * 3600;
/** Process 1, the keeper, and the shell around the command. */
const OWN_PROCESSES = 3;
/** Threads of the engine's runtime while it starts a command, which are gone when that begins. */
const STARTING_PROCESSES = 16;
/** As the bubblewrap driver has them. */
const OPEN_FILES_MAX = 4096;
const RUN_BYTES = 16 * 1024 * 1024;
const SHARED_MEMORY_BYTES = 64 * 1024 * 1024;
/** A default container has 1024: half of what others get when all want some. */
const CPU_SHARES = 512;
/** Half a core stays for the server, which has ten seconds to answer GitHub. */
const SPARED_CPUS = 0.5;

export function planContainer(parts: ContainerParts) {
  return {
    Image: parts.image,
    Entrypoint: keeperCommand(IDLE_SECONDS),
    Cmd: [],
    User: parts.keeper,
    ...{ Hostname: "sandbox", Domainname: "", WorkingDir: "/", NetworkDisabled: true },
    // Its input ends with the one connection to it, however that ends.
    ...{ AttachStdin: true, AttachStdout: true, AttachStderr: true, OpenStdin: true, StdinOnce: true, Tty: false },
    Healthcheck: { Test: ["NONE"] },
    Labels: { ...parts.labels },
    HostConfig: {
      ...(parts.runtime === null ? {} : { Runtime: parts.runtime }),
      // Its process 1 collects ended processes, which would count as the command's.
      ...{ AutoRemove: true, Init: true },
      ...{ NetworkMode: "none", IpcMode: "private", PidMode: "", UTSMode: "", CgroupnsMode: "private" as const },
      // A workspace's owner is a uid of the host; an engine that maps uids would give it another meaning.
      UsernsMode: parts.isRootless ? "" : "host",
      ReadonlyRootfs: true,
      Privileged: false,
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges", `seccomp=${parts.seccomp}`],
      LogConfig: { Type: "none", Config: {} },
      ...planLimits(parts),
      Tmpfs: planScratch(parts),
      Mounts: parts.binds.map(({ source, target, isWritable }) => ({
        ...{ Type: "bind" as const, Source: source, Target: target, ReadOnly: !isWritable },
        BindOptions: { Propagation: "rprivate" as const },
      })),
    },
  };
}

function planLimits({ limits, limitsMemory, userProcessesMax, cpus }: ContainerParts) {
  const hard = (name: string, value: number) => ({ Name: name, Soft: value, Hard: value });
  return {
    PidsLimit: Math.max(limits.processesMax, STARTING_PROCESSES) + OWN_PROCESSES,
    ...(limitsMemory ? { Memory: limits.memoryBytes, MemorySwap: limits.memoryBytes } : {}),
    CpuShares: CPU_SHARES,
    NanoCpus: Math.max(1, cpus - SPARED_CPUS) * 1e9,
    Ulimits: [
      hard("nproc", userProcessesMax),
      hard("nofile", OPEN_FILES_MAX),
      hard("fsize", limits.fileBytesMax),
      hard("core", 0),
    ],
    ShmSize: SHARED_MEMORY_BYTES,
  };
}

/**
 * HOME belongs to nobody, with the sticky bit: its owner could close it, and the keeper would not see what is left in it. Of the
 * kernel's folder nothing is seen, as with bubblewrap.
 */
function planScratch({ limits, volumes, binds }: ContainerParts): Record<string, string> {
  const scratch = (bytes: number) => `rw,exec,nosuid,nodev,size=${bytes},mode=1777`;
  const closed = "ro,nosuid,nodev,size=4096,mode=0555";
  const hidden = volumes.filter((folder) => !binds.some(({ target }) => target === folder));
  return {
    ...Object.fromEntries(hidden.map((folder) => [folder, closed])),
    "/tmp": scratch(limits.scratchBytes),
    "/home/agent": scratch(limits.scratchBytes),
    "/run": scratch(RUN_BYTES),
    "/sys": closed,
  };
}
