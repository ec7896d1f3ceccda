/**
 * Our supervisor of the embedded PostgreSQL: several processes of one machine share one server, the last one to leave stops it,
 * and one that outlived its parents (kill -9) is adopted. It listens on a unix socket only, and asks for a password there.
 */
import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { TransientError, UserError } from "../failure.ts";
import { ownedFolder, PORT, preparePlace, trimLog, type Place } from "./embedded-files.ts";
import { type FileLock, lockExclusive, tryExclusive, tryShared } from "../file-lock.ts";

/** Recovery after a crash of a busy server is the longest part of a start. */
const START_WAIT_MS = 60_000;
const STOP_WAIT_MS = 20_000;
const POLL_MS = 10;

/** Backends of a postmaster that was killed hold its shared memory for a moment longer (measured: 1 in 10 restarts). */
const START_ATTEMPTS_MAX = 20;
const START_AGAIN_AFTER_MS = 250;
const LEFTOVER = /pre-existing shared memory block|lock file .* already exists/;

const LOG_BYTES_MAX = 10_000_000;

/** Web server, worker and a few commands of ours at once; each connection costs memory. */
const CONNECTIONS_MAX = 60;

const USER = "pullwright";

export type EmbeddedServer = {
  readonly url: string;
  readonly kind: "started" | "adopted";
  /** Leaves; the last user stops the server. */
  release(): Promise<void>;
};

/** UserError when it can never work here (no binaries, a folder out of reach), TransientError when it does not answer in time. */
export async function startEmbedded({ dataDir }: { readonly dataDir: string }): Promise<EmbeddedServer> {
  const place = preparePlace(dataDir);
  const startLock = join(place.root, "start.lock");
  const usersLock = join(place.root, "users.lock");

  const starting = await lockExclusive(startLock, START_WAIT_MS);
  let user: FileLock | null = null;
  let kind: EmbeddedServer["kind"];
  try {
    user = tryShared(usersLock); // Free for sharing: whoever takes it exclusively holds the start lock too.
    kind = await ensureRunning(place);
  } catch (error) {
    user?.release();
    throw error;
  } finally {
    starting.release();
  }

  const release = async (): Promise<void> => {
    if (!user) return;
    const stopping = await lockExclusive(startLock, START_WAIT_MS);
    try {
      user.release();
      user = null;
      const alone = tryExclusive(usersLock);
      if (alone) await stopServer(place);
      alone?.release();
    } finally {
      stopping.release();
    }
  };
  const url = `postgresql://${USER}:${place.password}@${encodeURIComponent(place.socketDir)}:${PORT}/postgres`;
  return { url, kind, release };
}

/** Only under the start lock. */
async function ensureRunning(place: Place): Promise<EmbeddedServer["kind"]> {
  if (await answers(place)) return "adopted";
  const pid = readPid(place);
  if (pid !== null && isPostmaster(pid, place)) {
    await waitForAnswer(place, () => !isPostmaster(pid, place));
    if (await answers(place)) return "adopted";
  }
  // A pid that now belongs to someone else would make PostgreSQL refuse to start.
  if (pid !== null && isAlive(pid) && !isPostmaster(pid, place)) rmSync(join(place.data, "postmaster.pid"));
  if (!existsSync(place.data)) await initialise(place);

  for (let attempt = 1; attempt <= START_ATTEMPTS_MAX; attempt++) {
    const complaint = await launch(place);
    if (complaint === null) return "started";
    if (!LEFTOVER.test(complaint)) throw new UserError(`PostgreSQL did not start: ${complaint} See ${place.log}.`);
    await delay(START_AGAIN_AFTER_MS);
  }
  throw new TransientError(`PostgreSQL found the leavings of an older server too often. See ${place.log}.`);
}

/** Under another name until it is whole: a killed initdb leaves nothing that looks like a database. */
async function initialise(place: Place): Promise<void> {
  const fresh = `${place.data}.new`;
  const passwordFile = join(place.socketDir, "password");
  rmSync(fresh, { recursive: true, force: true });
  ownedFolder(fresh, place.owner);
  writeFileSync(passwordFile, place.password, { mode: 0o644 }); // In a folder that only the server may enter.
  const options = ["-D", fresh, "-U", USER, `--pwfile=${passwordFile}`, "--auth=scram-sha-256"];
  try {
    const child = spawnBinary(place, "initdb", [...options, "--encoding=UTF8", "--locale=C", "--no-instructions"]);
    const code = await new Promise((resolve, reject) => child.once("exit", resolve).once("error", reject));
    if (code !== 0) throw new UserError(`initdb could not make the database in ${place.data}. See ${place.log}.`);
  } finally {
    rmSync(passwordFile, { force: true });
  }
  renameSync(fresh, place.data);
}

/** Null once it answers, else what it said before it exited. */
async function launch(place: Place): Promise<string | null> {
  trimLog(place.log, LOG_BYTES_MAX);
  const logFrom = statSync(place.log).size;
  const settings = {
    listen_addresses: "",
    port: PORT,
    unix_socket_directories: place.socketDir,
    unix_socket_permissions: "0700",
    max_connections: CONNECTIONS_MAX,
    shared_buffers: "32MB",
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const child = spawnBinary(place, "postgres", ["-D", place.data, ...flags]);
  const over = new AbortController();
  child.once("exit", () => over.abort()).once("error", (error) => over.abort(error));
  await waitForAnswer(place, () => over.signal.aborted);
  child.removeAllListeners().unref();
  if (!over.signal.aborted) return null;
  return readFileSync(place.log).subarray(logFrom).toString().trim() || String(over.signal.reason);
}

/** In a session of its own, so that Ctrl-C in a terminal stops us and not the server first; none of our environment (keys) goes in. */
function spawnBinary(place: Place, name: "initdb" | "postgres", args: readonly string[]) {
  trimLog(place.log, LOG_BYTES_MAX);
  const log = openSync(place.log, "a");
  try {
    return spawn(join(place.binaries, name), args, {
      ...place.owner,
      cwd: place.socketDir,
      detached: true,
      stdio: ["ignore", log, log],
      env: { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" },
    });
  } finally {
    closeSync(log);
  }
}

/** Fast shutdown (SIGINT): open transactions are rolled back, then a checkpoint is written. */
async function stopServer(place: Place): Promise<void> {
  const pid = readPid(place);
  if (pid === null || !isPostmaster(pid, place)) return;
  process.kill(pid, "SIGINT");
  for (let waited = 0; waited < STOP_WAIT_MS; waited += POLL_MS) {
    if (!isPostmaster(pid, place)) return;
    await delay(POLL_MS);
  }
}

async function waitForAnswer(place: Place, isOver: () => boolean): Promise<void> {
  for (let waited = 0; waited < START_WAIT_MS; waited += POLL_MS) {
    if (isOver() || (await answers(place))) return;
    await delay(POLL_MS);
  }
  throw new TransientError(`PostgreSQL did not answer within ${START_WAIT_MS / 1000} s. See ${place.log}.`);
}

/** The socket is the proof that it lives; line 8 of postmaster.pid says when it takes queries (since PostgreSQL 10). */
async function answers(place: Place): Promise<boolean> {
  if (readPidFile(place)[7]?.trim() !== "ready") return false;
  return new Promise((resolve) => {
    const socket = connect(place.socket);
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

function readPid(place: Place): number | null {
  const pid = Number(readPidFile(place)[0]);
  return Number.isInteger(pid) && pid > 1 ? pid : null;
}

function readPidFile(place: Place): readonly string[] {
  try {
    return readFileSync(join(place.data, "postmaster.pid"), "utf8").split("\n");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}

/** Pids are used again, in containers soon: only a process that was given our data folder is our server. */
function isPostmaster(pid: number, place: Place): boolean {
  if (process.platform !== "linux") return isAlive(pid);
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes(place.data);
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH")) return false;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
