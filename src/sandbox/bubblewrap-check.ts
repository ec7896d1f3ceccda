/** The start-up check: every part of the isolation, proved by running a command in it rather than by looking for files. */
import { execFile } from "node:child_process";
import { access, constants, readFile, rm } from "node:fs/promises";
import { promisify } from "node:util";
import { TransientError, UserError } from "../failure.ts";
import type { SandboxTools } from "./bubblewrap-arguments.ts";
import type { CgroupPlace } from "./cgroup-place.ts";
import { bindTools } from "./host-paths.ts";
import { LAUNCHER_ENVIRONMENT } from "./launcher.ts";
import type { SandboxFeature, SandboxOpening, SandboxSession } from "./sandbox.ts";
import { seccompFilter } from "./seccomp.ts";
import { REMEDIES } from "./set-up-failure.ts";
import { makeStateFolder } from "./state-folder.ts";

/** --disable-userns came with 0.8. */
const OLDEST = { major: 0, minor: 8 };
const PROBE_TIMEOUT_MS = 20_000;
const MIB = 1024 * 1024;
const PROBE_LIMITS = {
  ...{ memoryBytes: 256 * MIB, processesMax: 64, fileBytesMax: MIB, scratchBytes: MIB },
  ...{ workspaceBytesMax: 64 * MIB, workspaceFilesMax: 1_000 },
};
const ENGINE_SOCKETS = ["/run/docker.sock", "/var/run/docker.sock", "/run/podman/podman.sock"];
const APPARMOR_SWITCH = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";

type Checked = {
  readonly tools: SandboxTools;
  readonly open: (opening: SandboxOpening) => Promise<SandboxSession>;
  readonly findPlace: () => Promise<CgroupPlace | null>;
};

export async function checkBubblewrap({ tools, open, findPlace }: Checked): Promise<readonly SandboxFeature[]> {
  const [probe, version] = await Promise.all([probeSandbox(open), checkVersion()]);
  return [
    version,
    await checkPrograms(probe.isWorking),
    await checkTools(tools),
    checkNamespaces(probe),
    await checkAppArmor(probe.isWorking),
    checkFilter(probe),
    await checkCgroups(findPlace),
    await checkCores(),
    await checkDocker(),
  ];
}

type Probe = { readonly isWorking: boolean; readonly said: string };

/** Reads a command's own status from inside a sandbox with everything on. */
async function probeSandbox(open: Checked["open"]): Promise<Probe> {
  const workspaceDir = await makeStateFolder(); // By its name the next worker removes what a killed one left.
  try {
    await using session = await open({ workspaceDir, readOnlyPaths: [], isReadOnly: false, limits: PROBE_LIMITS });
    const { exit, stdout, stderr } = await session.exec(
      { argv: ["cat", "/proc/self/status"], cwd: "", stdin: "", timeoutMs: PROBE_TIMEOUT_MS, outputBytesMax: MIB },
      AbortSignal.timeout(2 * PROBE_TIMEOUT_MS),
    );
    if (exit.kind === "exited" && exit.code === 0) return { isWorking: true, said: stdout.toString() };
    return { isWorking: false, said: `${JSON.stringify(exit)} ${stderr.toString()}` };
  } catch (error) {
    if (error instanceof UserError || error instanceof TransientError) return { isWorking: false, said: error.message };
    throw error;
  } finally {
    await rm(workspaceDir, { recursive: true, force: true });
  }
}

async function checkVersion(): Promise<SandboxFeature> {
  const said = await run("bwrap", ["--version"]);
  const [, major, minor] = /bubblewrap (\d+)\.(\d+)/.exec(said) ?? [];
  const isPresent = Number(major) > OLDEST.major || (Number(major) === OLDEST.major && Number(minor) >= OLDEST.minor);
  return feature("bubblewrap", { isPresent, detail: said || "not installed", remedy: REMEDIES.bubblewrap });
}

/** A probe that works has run the first ones; asking each for its version was half of the check. */
async function checkPrograms(isWorking: boolean): Promise<SandboxFeature> {
  const programs = [...(isWorking ? [] : ["bash", "setpriv", "prlimit", "mkfifo", "chown"]), "unshare", "mount"];
  const versions = await Promise.all(programs.map((program) => run(program, ["--version"])));
  const missing = programs.filter((_, index) => versions[index] === "");
  const detail = missing.length === 0 ? "all found" : `missing: ${missing.join(", ")}`;
  return feature("helper programs", { isPresent: missing.length === 0, detail, remedy: REMEDIES.utilLinux });
}

async function checkTools(tools: SandboxTools): Promise<SandboxFeature> {
  const detail = await bindTools(tools).then(
    (binds) => binds.map((bind) => bind.target).join(", ") || "none",
    (error: unknown) => error,
  );
  if (typeof detail === "string") return feature("tools", { isPresent: true, detail, remedy: "" });
  if (detail instanceof UserError)
    return feature("tools", { isPresent: false, detail: "missing", remedy: detail.message });
  throw detail;
}

function checkNamespaces({ isWorking, said }: Probe): SandboxFeature {
  const isPowerless = /^CapEff:\s+0+$/m.test(said);
  const detail = isWorking
    ? isPowerless
      ? "a command ran in all of them"
      : "the command kept capabilities"
    : said.trim();
  return feature("namespaces", { isPresent: isWorking && isPowerless, detail, remedy: REMEDIES.namespaces });
}

async function checkAppArmor(isWorking: boolean): Promise<SandboxFeature> {
  const restricts = (await readFile(APPARMOR_SWITCH, "utf8").catch(() => "0")).trim() === "1"; // Absent: no AppArmor.
  const detail = restricts ? `restricts user namespaces${isWorking ? ", but not ours" : ""}` : "does not interfere";
  return feature("AppArmor", { isPresent: isWorking || !restricts, detail, remedy: REMEDIES.appArmor });
}

function checkFilter({ isWorking, said }: Probe): SandboxFeature {
  const isFiltered = /^Seccomp:\s+2$/m.test(said);
  const isPresent = isWorking ? isFiltered : seccompFilter(process.arch, { countsMemory: true }) !== null;
  const detail = isFiltered ? "in force" : isPresent ? "known for this machine" : `none for ${process.arch}`;
  return feature("system call filter", { isPresent, detail, remedy: REMEDIES.seccomp });
}

async function checkCgroups(findPlace: Checked["findPlace"]): Promise<SandboxFeature> {
  const place = await findPlace();
  const detail = place ? `cgroup ${place.version} in ${place.memoryDir}` : "no control group may be made here";
  const found = { isPresent: place !== null, detail, remedy: REMEDIES.cgroup };
  return { ...feature("memory and process limits", found), kind: "limit" };
}

/** A pattern that starts with "|" has a program of the host read the memory of what crashed, whatever RLIMIT_CORE says: core(5). */
async function checkCores(): Promise<SandboxFeature> {
  const pattern = (await readFile("/proc/sys/kernel/core_pattern", "utf8").catch(() => "")).trim();
  const isPresent = !pattern.startsWith("|");
  const detail = isPresent ? "none are written" : `the host runs ${pattern.slice(1, 80)} on them`;
  return { ...feature("core dumps", { isPresent, detail, remedy: REMEDIES.cores }), kind: "limit" };
}

/** Whoever reaches the engine's socket is root on the host: worth knowing, though no command ever sees it. */
async function checkDocker(): Promise<SandboxFeature> {
  const reached = await Promise.all(
    ENGINE_SOCKETS.map((socket) =>
      access(socket, constants.W_OK).then(
        () => [socket],
        () => [],
      ),
    ),
  );
  const [socket] = reached.flat();
  const detail =
    socket === undefined ? "no engine in reach; none is needed" : `this worker reaches ${socket}; no command does`;
  return feature("docker", { isPresent: true, detail, remedy: "" });
}

type Found = { readonly isPresent: boolean; readonly detail: string; readonly remedy: string };

function feature(name: string, { isPresent, detail, remedy }: Found): SandboxFeature {
  return { name, kind: "isolation", isPresent, detail, remedy: isPresent ? "" : remedy };
}

/** First line of what it prints; "" when it cannot be run. */
async function run(program: string, argv: readonly string[]): Promise<string> {
  return promisify(execFile)(program, argv, { env: LAUNCHER_ENVIRONMENT }).then(
    ({ stdout }) => stdout.split("\n")[0]?.trim() ?? "",
    () => "",
  );
}
