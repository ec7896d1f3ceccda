/**
 * The world a command sees, as bubblewrap arguments. Everything is named: what is not listed here does not exist inside.
 * Measured against an attack battery; each line that looks optional closed a leak.
 */
import { basename, join } from "node:path";

/** A single host executable, bound at /opt/bin/NAME. */
export type SandboxBinary = { readonly name: string; readonly path: string };

/** What every session of a driver gets, besides its workspace. */
export type SandboxTools = {
  /** Host folders, bound read-only at /opt/NAME; NAME/bin is on the PATH. */
  readonly tools: readonly string[];
  readonly binaries: readonly SandboxBinary[];
};

/** One host path shown inside. */
export type Bind = { readonly source: string; readonly target: string; readonly isWritable: boolean };

export type World = {
  /** In mount order: a later one may lie inside an earlier one. */
  readonly binds: readonly Bind[];
  /** /bin, /lib and their like as this host has them: links into /usr, or folders of their own. */
  readonly topLevel: readonly TopLevel[];
  /** Parts of the host's /etc that hold no secret and that programs need; the rest of /etc is ours. */
  readonly etcPaths: readonly string[];
  readonly path: string;
  readonly scratchBytes: number;
};

export type TopLevel =
  | { readonly name: string; readonly kind: "link"; readonly target: string }
  | { readonly name: string; readonly kind: "folder" };

/** Descriptors the launcher leaves open for bubblewrap. */
export const FD = { status: 3, seccomp: 4, arguments: 5 } as const;

/** Uid and gid inside. What it is outside is the driver's business. */
const INNER_ID = "1000";
const HOME = "/home/agent";
/** For sockets and pid files of services a test starts. */
const RUN_BYTES = 16 * 1024 * 1024;
/** PostgreSQL and browsers want shared memory; 64 MiB is what Docker gives. */
const SHARED_MEMORY_BYTES = 64 * 1024 * 1024;

/** All but --chdir, which differs per command. */
export function bubblewrapArguments(world: World): string[] {
  return [...isolation(), ...environment(world.path), ...rootFolders(world), ...mounts(world), ...descriptors()];
}

/** /opt/bin first, so that the executables we chose win over the host's. */
export function sandboxPath(tools: readonly string[]): string {
  return ["/opt/bin", ...tools.map((folder) => `/opt/${basename(folder)}/bin`), ...SYSTEM_FOLDERS].join(":");
}

const SYSTEM_FOLDERS = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"];

function isolation(): string[] {
  return [
    // Named one by one: --unshare-all only *tries* the user namespace and goes on without.
    ...["--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"],
    ...["--disable-userns", "--uid", INNER_ID, "--gid", INNER_ID, "--hostname", "sandbox"],
    ...["--die-with-parent", "--new-session", "--cap-drop", "ALL"],
  ];
}

function environment(path: string): string[] {
  return ["--clearenv", ...environmentArguments(innerEnvironment(path))];
}

export function environmentArguments(variables: Readonly<Record<string, string>>): string[] {
  return Object.entries(variables).flatMap(([name, value]) => ["--setenv", name, value]);
}

/** All that a command finds in its environment: nothing of ours, nothing that asks for a terminal. */
export function innerEnvironment(path: string): Record<string, string> {
  return {
    PATH: path,
    HOME,
    ...{ USER: "agent", LOGNAME: "agent", SHELL: "/bin/bash" },
    ...{ LANG: "C.UTF-8", LC_ALL: "C.UTF-8", TMPDIR: "/tmp" },
    ...{ CI: "1", TERM: "dumb", NO_COLOR: "1", PAGER: "cat", GIT_PAGER: "cat" },
  };
}

function rootFolders(world: World): string[] {
  const top = world.topLevel.flatMap((entry) =>
    entry.kind === "link"
      ? ["--symlink", entry.target, `/${entry.name}`]
      : ["--ro-bind", `/${entry.name}`, `/${entry.name}`],
  );
  return [
    ...["--ro-bind", "/usr", "/usr", ...top],
    ...["--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys", "--dev", "/dev"],
    ...["--perms", "1777", "--size", String(SHARED_MEMORY_BYTES), "--tmpfs", "/dev/shm"],
    // bubblewrap makes /dev a tmpfs that its user owns, without a size: files in it would be memory nobody limits.
    ...["--remount-ro", "/dev"],
    ...["--perms", "1777", "--size", String(world.scratchBytes), "--tmpfs", "/tmp"],
    ...["--size", String(world.scratchBytes), "--tmpfs", HOME],
    ...["--size", String(RUN_BYTES), "--tmpfs", "/run"],
    ...["--dir", "/var", "--symlink", "/tmp", "/var/tmp", "--symlink", "/run", "/var/run"],
    ...["--tmpfs", "/sys", "--remount-ro", "/sys", "--dir", "/opt/bin"],
  ];
}

function mounts(world: World): string[] {
  const binds = world.binds.flatMap((bind) => [bind.isWritable ? "--bind" : "--ro-bind", bind.source, bind.target]);
  const etc = world.etcPaths.flatMap((path) => ["--ro-bind", join("/etc", path), join("/etc", path)]);
  return [...binds, ...etc, "--remount-ro", "/"];
}

function descriptors(): string[] {
  return ["--json-status-fd", String(FD.status), "--seccomp", String(FD.seccomp)];
}
