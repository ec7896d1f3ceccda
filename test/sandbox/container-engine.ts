/**
 * A Docker engine of the tests' own, with an image made from this machine's packages: no registry, no network, nothing of an engine
 * that may be running here. PULLWRIGHT_TEST_ENGINE=/path/to/socket uses one that runs already, such as podman's service.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, mkdtemp, readdir, readFile, rm, rmdir } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import type { ContainerSettings } from "../../src/container-settings.ts";
import { isRoot } from "./open-session.ts";

export type TestEngine = AsyncDisposable & {
  readonly settings: ContainerSettings;
  /** Lets the users of a group use its socket, as those of "docker" may. */
  admit(gid: number): Promise<void>;
};

const IMAGE_SCRIPT = join(import.meta.dirname, "container-image.sh");
const IMAGE = "pullwright-test:latest";
const START_MS_MAX = 60_000;
const END_MS_MAX = 30_000;
const POLL_MS = 50;

/** The engine, or why there is none here: the suites are then skipped and say so. */
export async function openTestEngine(): Promise<TestEngine | string> {
  const given = process.env["PULLWRIGHT_TEST_ENGINE"];
  if (given !== undefined) {
    await importImage(given);
    return opened(given, new AsyncDisposableStack());
  }
  if (!isRoot) return "an engine of the tests' own needs root";
  for (const program of ["dockerd", "containerd", "runc", "apt-cache"]) {
    if (!(await isInstalled(program))) return `${program} is not installed (scripts/setup.sh --with-docker)`;
  }
  await using undo = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "pullwright-engine-"));
  undo.defer(() => clear(dir));
  const socket = join(dir, "docker.sock");
  const engine = startEngine(dir, socket);
  undo.defer(() => endEngine(engine));
  const log = engine.stderr === null ? Promise.resolve("") : text(engine.stderr);
  for (let waitedMs = 0; !(await answers(socket)); waitedMs += POLL_MS) {
    if (engine.exitCode !== null || waitedMs > START_MS_MAX) {
      engine.kill("SIGKILL");
      return `dockerd does not run here: ${(await log).trim().split("\n").at(-1)?.slice(0, 300)}`;
    }
    await delay(POLL_MS);
  }
  await importImage(socket);
  return opened(socket, undo.move());
}

function opened(socketPath: string, undo: AsyncDisposableStack): TestEngine {
  return {
    settings: { image: IMAGE, runtime: null, socketPath },
    admit: async (gid) => {
      await chown(socketPath, 0, gid);
      await chmod(socketPath, 0o660);
      await chmod(dirname(socketPath), 0o711);
    },
    [Symbol.asyncDispose]: () => undo.disposeAsync(),
  };
}

/** It ends with the tests, even where they are killed. No bridge and no packet filter: containers have no network. */
function startEngine(dir: string, socket: string): ChildProcess {
  const folders = ["--data-root", join(dir, "data"), "--exec-root", join(dir, "exec"), "--pidfile", join(dir, "pid")];
  const network = ["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-masq=false"];
  const groups = ["--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", groupOf(dir)];
  const engine = ["dockerd", "-H", `unix://${socket}`, ...folders, ...network, ...groups, "--log-level", "warn"];
  return spawn("setpriv", ["--pdeathsig", "TERM", "--", ...engine], { stdio: ["ignore", "ignore", "pipe"] });
}

function groupOf(dir: string): string {
  return `/${dir.split("/").at(-1)}`;
}

async function endEngine(engine: ChildProcess): Promise<void> {
  if (engine.exitCode !== null || engine.signalCode !== null) return;
  const ended = once(engine, "exit");
  engine.kill("SIGTERM");
  const isLate = await Promise.race([ended.then(() => false), delay(END_MS_MAX, true, { ref: false })]);
  if (!isLate) return;
  engine.kill("SIGKILL");
  await ended;
}

/** Mounts that dockerd leaves, its control groups, and its folder. */
async function clear(dir: string): Promise<void> {
  const mounts = (await readFile("/proc/self/mountinfo", "utf8")).split("\n").map((line) => line.split(" ")[4] ?? "");
  const left = mounts.filter((mount) => mount.startsWith(`${dir}/`)).reverse();
  for (const mount of left) await promisify(execFile)("umount", ["--lazy", "--", mount]);
  const hierarchies = await readdir("/sys/fs/cgroup").catch(() => []);
  for (const hierarchy of ["", ...hierarchies]) {
    await rmdir(join("/sys/fs/cgroup", hierarchy, groupOf(dir))).catch(() => {}); // Not every one has it.
  }
  await rm(dir, { recursive: true, force: true });
}

async function isInstalled(program: string): Promise<boolean> {
  return promisify(execFile)("sh", ["-c", 'command -v "$1"', "sh", program]).then(
    () => true,
    () => false,
  );
}

function answers(socketPath: string): Promise<boolean> {
  const answered = Promise.withResolvers<boolean>();
  const asked = request({ socketPath, path: "/_ping" }, (response) => {
    response.resume();
    answered.resolve(response.statusCode === 200);
  });
  asked.on("error", () => answered.resolve(false)).end();
  return answered.promise;
}

async function importImage(socketPath: string): Promise<void> {
  const tar = spawn("sh", [IMAGE_SCRIPT], { stdio: ["ignore", "pipe", "inherit"] });
  const [repo, tag] = IMAGE.split(":");
  const path = `/images/create?fromSrc=-&repo=${repo}&tag=${tag}`;
  const sent = request({ socketPath, path, method: "POST", headers: { "Content-Type": "application/x-tar" } });
  tar.stdout.pipe(sent);
  const [response] = await once(sent, "response");
  const said = await text(response);
  if (response.statusCode !== 200 || /"error"/.test(said)) throw new Error(`the image was not imported: ${said}`);
}
