/** The container driver's start-up check: engine, image and limits are asked for, isolation is proved by a command in a container. */
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ContainerSettings } from "../container-settings.ts";
import { TransientError, UserError } from "../failure.ts";
import type { SandboxTools } from "./bubblewrap-arguments.ts";
import type { Engine, EngineFacts, ImageFacts } from "./container-engine.ts";
import { CONTAINER_REMEDIES, pullRemedy } from "./container-remedies.ts";
import type { SandboxFeature, SandboxOpening, SandboxSession } from "./sandbox.ts";
import { makeStateFolder } from "./state-folder.ts";

type Checked = {
  readonly tools: SandboxTools;
  readonly settings: ContainerSettings;
  readonly engine: Engine;
  readonly open: (opening: SandboxOpening) => Promise<SandboxSession>;
};

/** Docker 20.10 and podman 4: a control group's own view of itself (CgroupnsMode). */
const API_OLDEST = { major: 1, minor: 41 };
const PROBE_TIMEOUT_MS = 30_000;
const MIB = 1024 * 1024;
const PROBE_LIMITS = {
  ...{ memoryBytes: 256 * MIB, processesMax: 64, fileBytesMax: MIB, scratchBytes: MIB },
  ...{ workspaceBytesMax: 64 * MIB, workspaceFilesMax: 1_000 },
};
/** A file that only the host has put there. */
const MARK = "from-the-host";
const PROBE = `
echo "user $(id -u)"
cat /proc/self/status
for program in env cat rm git rg node; do "$program" --version >/dev/null 2>&1 || echo "missing $program"; done
(( BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 403 )) || echo "missing bash-4.3"
[[ -f ${MARK} ]] || echo "missing files"
while IFS=: read -r name rest; do [[ -z $rest || $name == *lo || $name == *face* ]] || echo "network $name"; done </proc/net/dev
`;

export async function checkContainers({ settings, engine, open }: Checked): Promise<readonly SandboxFeature[]> {
  const facts = await engine.readFacts().catch(unlessDefect);
  if (typeof facts === "string") {
    return [feature("container engine", { isPresent: false, detail: settings.socketPath, remedy: facts })];
  }
  const image = await engine.readImage(settings.image).catch(unlessDefect);
  const asked = [
    feature("container engine", { isPresent: true, detail: `${facts.version} at ${settings.socketPath}`, remedy: "" }),
    checkVersion(facts),
    checkImage(image, settings),
    checkRuntime(facts, settings),
  ];
  const limits = [checkLimits(facts), await checkCores()];
  // Without these nothing can be tried, and their own lines say it all.
  if (asked.some(({ isPresent }) => !isPresent)) return [...asked, ...limits];
  const probe = await probeSandbox(open);
  return [...asked, checkIsolation(probe), checkFilter(probe, facts), checkPrograms(probe), ...limits];
}

type Probe = { readonly isWorking: boolean; readonly said: string };

async function probeSandbox(open: Checked["open"]): Promise<Probe> {
  const workspaceDir = await makeStateFolder(); // By its name the next worker removes what a killed one left.
  try {
    await writeFile(join(workspaceDir, MARK), "");
    await using session = await open({ workspaceDir, readOnlyPaths: [], isReadOnly: false, limits: PROBE_LIMITS });
    const argv = ["bash", "-c", PROBE];
    const { exit, stdout, stderr } = await session.exec(
      { argv, cwd: "", stdin: "", timeoutMs: PROBE_TIMEOUT_MS, outputBytesMax: MIB },
      AbortSignal.timeout(2 * PROBE_TIMEOUT_MS),
    );
    if (exit.kind === "exited" && exit.code === 0) return { isWorking: true, said: stdout.toString() };
    return { isWorking: false, said: `${JSON.stringify(exit)} ${stderr.toString()}` };
  } catch (error) {
    return { isWorking: false, said: unlessDefect(error) };
  } finally {
    await rm(workspaceDir, { recursive: true, force: true });
  }
}

function checkVersion({ apiVersion }: EngineFacts): SandboxFeature {
  const [major = 0, minor = 0] = apiVersion.split(".").map(Number);
  const isPresent = major > API_OLDEST.major || (major === API_OLDEST.major && minor >= API_OLDEST.minor);
  return feature("engine API", { isPresent, detail: apiVersion, remedy: CONTAINER_REMEDIES.apiVersion });
}

/** `image` is what the engine has, null when it has none, or why it cannot be asked. */
function checkImage(image: ImageFacts | string | null, { image: name }: ContainerSettings): SandboxFeature {
  const isPresent = image !== null && typeof image !== "string";
  const detail = isPresent ? `${name} (${image.id.slice(0, 19)})` : (image ?? `${name} is not here`);
  return feature("container image", { isPresent, detail, remedy: pullRemedy(name) });
}

function checkRuntime(facts: EngineFacts, settings: ContainerSettings): SandboxFeature {
  const { runtime } = settings;
  const isPresent = hasRuntime(facts, settings);
  const detail = runtime === null ? "the engine's usual one" : isPresent ? runtime : `${runtime} cannot be had`;
  return feature("container runtime", { isPresent, detail, remedy: CONTAINER_REMEDIES.runtime });
}

/** Podman's service takes no notice of a runtime that a container asks for. */
export function hasRuntime({ runtimes, isPodman }: EngineFacts, { runtime }: ContainerSettings): boolean {
  return runtime === null || (!isPodman && runtimes.includes(runtime));
}

function checkIsolation({ isWorking, said }: Probe): SandboxFeature {
  const network = /^network (.*)$/m.exec(said)?.[1];
  const wrong = [
    ...(/^CapEff:\s+0+$/m.test(said) ? [] : ["the command kept capabilities"]),
    ...(/^NoNewPrivs:\s+1$/m.test(said) ? [] : ["it may gain privileges"]),
    ...(network === undefined ? [] : [`it sees the network ${network.trim()}`]),
    ...(/^missing files$/m.test(said) ? ["it does not see the workspace's files"] : []),
  ];
  const detail = isWorking ? wrong.join(", ") || "a command ran in a container" : said.trim().slice(0, 1000);
  const remedy = /^missing files$/m.test(said) ? CONTAINER_REMEDIES.files : "Mend what the engine complains of.";
  return feature("container", { isPresent: isWorking && wrong.length === 0, detail, remedy });
}

/** gVisor is a kernel of its own and shows none; its own filter is not ours to see. */
function checkFilter({ isWorking, said }: Probe, { hasSeccomp }: EngineFacts): SandboxFeature {
  const isFiltered = /^Seccomp:\s+2$/m.test(said);
  const isPresent = isWorking ? isFiltered : hasSeccomp;
  const detail = isFiltered ? "in force" : isPresent ? "known to the engine" : "not in force";
  return feature("system call filter", { isPresent, detail, remedy: CONTAINER_REMEDIES.seccomp });
}

function checkPrograms({ isWorking, said }: Probe): SandboxFeature {
  const missing = [...said.matchAll(/^missing (?!files)(.*)$/gm)].map(([, program]) => program);
  const detail = !isWorking ? "not tried" : missing.length === 0 ? "all found" : `missing: ${missing.join(", ")}`;
  const isPresent = isWorking && missing.length === 0;
  return feature("programs in the image", { isPresent, detail, remedy: CONTAINER_REMEDIES.programs });
}

function checkLimits({ limitsMemory, limitsProcesses }: EngineFacts): SandboxFeature {
  const missing = [...(limitsMemory ? [] : ["memory"]), ...(limitsProcesses ? [] : ["processes"])];
  const detail = missing.length === 0 ? "held by the engine" : `not held: ${missing.join(", ")}`;
  const found = { isPresent: missing.length === 0, detail, remedy: CONTAINER_REMEDIES.limits };
  return { ...feature("memory and process limits", found), kind: "limit" };
}

/** A pattern that starts with "|" has a program of the host read the memory of what crashed, whatever RLIMIT_CORE says: core(5). */
async function checkCores(): Promise<SandboxFeature> {
  const pattern = (await readFile("/proc/sys/kernel/core_pattern", "utf8").catch(() => "")).trim();
  const isPresent = !pattern.startsWith("|");
  const detail = isPresent ? "none are written" : `the host runs ${pattern.slice(1, 80)} on them`;
  return { ...feature("core dumps", { isPresent, detail, remedy: CONTAINER_REMEDIES.cores }), kind: "limit" };
}

/** What was thrown on purpose, as text. */
function unlessDefect(error: unknown): string {
  if (error instanceof UserError || error instanceof TransientError) return error.message;
  throw error;
}

type Found = { readonly isPresent: boolean; readonly detail: string; readonly remedy: string };

function feature(name: string, { isPresent, detail, remedy }: Found): SandboxFeature {
  return { name, kind: "isolation", isPresent, detail, remedy: isPresent ? "" : remedy };
}
