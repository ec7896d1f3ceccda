/**
 * A work tree that costs nothing until it is written: overlayfs over a warm checkout that belongs to root and that all runs
 * share. Each run sees it under a uid of its own by an idmapped mount: a chown would copy every file up.
 */
import { execFile } from "node:child_process";
import { chmod, lchown, mkdir, readFile, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { pickUid } from "../sandbox/owner.ts";

/** A mount takes milliseconds; one that takes this long hangs on a dead disk. */
const MOUNT_MS_MAX = 10_000;

/** This host cannot do it (no rights, no perl, no kernel support): files are written instead. */
class NoOverlay extends Error {
  override readonly name = "NoOverlay";
}

export type OverlayPlan = {
  /** Holds the layers; on the file system of the warm checkout. */
  readonly dir: string;
  readonly warmTreeDir: string;
  readonly uid: number;
};

/** Where the layers of an overlay lie below its folder. */
export function overlayDirs(dir: string) {
  return { lower: join(dir, "lower"), upper: join(dir, "upper"), work: join(dir, "work"), tree: join(dir, "tree") };
}

/** Shows `warmTreeDir` at DIR/tree, all of it as the property of `uid`. Throws NoOverlay. */
async function mountOverlay({ dir, warmTreeDir, uid }: OverlayPlan): Promise<void> {
  const { lower, upper, work, tree } = overlayDirs(dir);
  const unshareCall = UNSHARE_CALL[process.arch];
  if (process.getuid?.() !== 0 || unshareCall === undefined) throw new NoOverlay("only root on x64 or arm64 mounts");
  await mkdir(lower, { mode: 0o700 });
  await mkdir(upper, { mode: 0o755 });
  await chmod(upper, (await stat(warmTreeDir)).mode & 0o777);
  await mkdir(work, { mode: 0o700 });
  await lchown(upper, uid, uid);
  await run("perl", ["-e", IDMAPPED_BIND, warmTreeDir, lower, String(uid), String(unshareCall)], dir);
  try {
    // Relative paths: commas and colons in ours would be read as options. redirect_dir lets folders be renamed; volatile
    // (Linux 5.10) spares the disk a sync at the end of what is thrown away: it took longer than all else together.
    const layers = "lowerdir=lower,upperdir=upper,workdir=work,redirect_dir=on,metacopy=off,index=off,volatile";
    await run("mount", ["-t", "overlay", "-o", `nosuid,nodev,${layers}`, "pullwright", tree], dir);
  } catch (error) {
    await unmount(lower);
    throw error;
  }
}

/** As `mountOverlay`; false where this host cannot do it. */
export async function tryOverlay(plan: OverlayPlan): Promise<boolean> {
  try {
    await mountOverlay(plan);
    return true;
  } catch (error) {
    if (error instanceof NoOverlay) return false;
    throw error;
  }
}

/** Whether overlays can be mounted at `scratchDir`, which is made and removed. */
export async function canMountOverlay(scratchDir: string): Promise<boolean> {
  const warmTreeDir = join(scratchDir, "warm");
  const dir = join(scratchDir, "run");
  for (const folder of [warmTreeDir, overlayDirs(dir).tree]) await mkdir(folder, { recursive: true });
  try {
    return await tryOverlay({ dir, warmTreeDir, uid: await pickUid() });
  } finally {
    await unmountBelow(scratchDir);
    await rm(scratchDir, { recursive: true, force: true });
  }
}

/** Unmounts all that is mounted below `dir`, the last first. Who still looks keeps what they see. */
export async function unmountBelow(dir: string): Promise<void> {
  const table = await readFile("/proc/self/mountinfo", "utf8");
  const targets = table.split("\n").map((line) => readTarget(line.split(" ")[4] ?? ""));
  for (const target of targets.filter((path) => path.startsWith(`${dir}/`)).reverse()) await unmount(target);
}

async function unmount(target: string): Promise<void> {
  await run("umount", ["--lazy", "--no-canonicalize", basename(target)], dirname(target));
}

/** Space, tab, newline and backslash are octal in mountinfo: proc_pid_mountinfo(5). */
function readTarget(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

async function run(program: string, args: readonly string[], cwd: string): Promise<void> {
  const env = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" };
  try {
    await promisify(execFile)(program, args, { cwd, env, timeout: MOUNT_MS_MAX, killSignal: "SIGKILL" });
  } catch (error) {
    throw new NoOverlay(`${program} failed`, { cause: error });
  }
}

/** unshare(2); the calls below have one number everywhere. */
const UNSHARE_CALL: Readonly<Record<string, number>> = { x64: 272, arm64: 97 };

/**
 * Neither Node nor mount(8) before 2.39 (Debian 12 has 2.38) can make an idmapped mount. perl can make system calls, and git
 * itself needs it on Debian and Ubuntu. A child's user namespace carries the map from 0 to the uid; open_tree (428) clones the
 * folder, mount_setattr (442) maps it and makes it read-only, move_mount (429) attaches it: mount_setattr(2).
 */
const IDMAPPED_BIND = `
use strict;
my ($source, $target, $id, $unshare) = @ARGV;
my ($AT_FDCWD, $NONE) = (-100, "");
pipe(my $ready, my $is_ready) or die $!;
pipe(my $end, my $is_end) or die $!;
my $child = fork() // die $!;
if ($child == 0) {
  close $ready; close $is_end;
  syscall($unshare + 0, 0x10000000) == 0 or exit 1;
  syswrite $is_ready, "x";
  sysread $end, my $byte, 1;
  exit 0;
}
close $is_ready;
sysread($ready, my $byte, 1) or die "no user namespace\\n";
for my $kind ("uid", "gid") {
  open(my $map, ">", "/proc/$child/\${kind}_map") or die $!;
  defined syswrite($map, "0 $id 1\\n") or die "map: $!";
  close $map;
}
open(my $namespace, "<", "/proc/$child/ns/user") or die $!;
my $tree = syscall(428, $AT_FDCWD, $source, 1 | 02000000);
$tree >= 0 or die "open_tree: $!";
# MOUNT_ATTR_IDMAP | RDONLY | NOSUID | NODEV
my $attributes = pack("QQQQ", 0x00100000 | 1 | 2 | 4, 0, 0, fileno($namespace));
syscall(442, $tree, $NONE, 0x1000, $attributes, 32) == 0 or die "mount_setattr: $!";
syscall(429, $tree, $NONE, $AT_FDCWD, $target, 4) == 0 or die "move_mount: $!";
`;
