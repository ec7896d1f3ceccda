/** System-call numbers per machine, from the kernel's asm/unistd_64.h (x86-64) and asm-generic/unistd.h (arm64). */

export type CallNumbers = {
  /** linux/audit.h: what seccomp_data.arch holds. */
  readonly auditArch: number;
  readonly clone: number;
  readonly clone3: number;
  readonly ioctl: number;
  readonly socket: number;
  readonly socketpair: number;
  readonly shmget: number;
  /** Calls that set a file's mode, and which of their arguments holds it. */
  readonly modes: readonly { readonly number: number; readonly mode: number }[];
  /** Calls that open a file; they read the mode only when a flag says that they make one. */
  readonly opens: readonly { readonly number: number; readonly flags: number; readonly mode: number }[];
  /** memfd_create and memfd_secret: memory in files that no folder shows. */
  readonly nameless: readonly number[];
  readonly refused: readonly { readonly number: number; readonly errno: number }[];
};

/** file_setattr of Linux 6.17. Newer calls answer ENOSYS, as an older kernel would: this list cannot judge them. */
export const LAST_KNOWN_CALL = 469;

const EPERM = 1;
const ENOSYS = 38;

// null where a machine has no such call. ptrace, process_vm_readv and kcmp stay: debuggers need them, and they reach
// no further than the process ids of the sandbox itself.
const REFUSED: readonly (readonly [name: string, x64: number, arm64: number | null])[] = [
  // Keyrings belong to the host's user, not to a namespace.
  ["add_key", 248, 217],
  ["keyctl", 250, 219],
  ["request_key", 249, 218],
  // Past filters (io_uring does file and socket work that no filter sees) and large kernel surface.
  ["io_uring_enter", 426, 426],
  ["io_uring_register", 427, 427],
  ["io_uring_setup", 425, 425],
  ["bpf", 321, 280],
  ["perf_event_open", 298, 241],
  ["userfaultfd", 323, 282],
  ["modify_ldt", 154, null],
  ["lookup_dcookie", 212, 18],
  ["fanotify_init", 300, 262],
  // Mounts and namespaces.
  ["chroot", 161, 51],
  ["fsconfig", 431, 431],
  ["fsmount", 432, 432],
  ["fsopen", 430, 430],
  ["fspick", 433, 433],
  ["mount", 165, 40],
  ["mount_setattr", 442, 442],
  ["move_mount", 429, 429],
  ["open_tree", 428, 428],
  ["open_tree_attr", 467, 467],
  ["pivot_root", 155, 41],
  ["setns", 308, 268],
  ["umount2", 166, 39],
  ["unshare", 272, 97],
  // The filter could not see whether it makes a setuid file; the others that could are judged by their mode.
  ["openat2", 437, 437],
  // Opens a file by inode number, around every mount: how Shocker left Docker.
  ["open_by_handle_at", 304, 265],
  // The machine: modules, another kernel, clocks, swap, names, accounting, hardware ports.
  ["acct", 163, 89],
  ["clock_settime", 227, 112],
  ["create_module", 174, null],
  ["delete_module", 176, 106],
  ["finit_module", 313, 273],
  ["get_kernel_syms", 177, null],
  ["init_module", 175, 105],
  ["ioperm", 173, null],
  ["iopl", 172, null],
  ["kexec_file_load", 320, 294],
  ["kexec_load", 246, 104],
  ["nfsservctl", 180, 42],
  ["query_module", 178, null],
  ["quotactl", 179, 60],
  ["quotactl_fd", 443, 443],
  ["reboot", 169, 142],
  ["setdomainname", 171, 162],
  ["sethostname", 170, 161],
  ["settimeofday", 164, 170],
  ["swapoff", 168, 225],
  ["swapon", 167, 224],
  ["sysctl", 156, null],
  ["sysfs", 139, null],
  ["syslog", 103, 116],
  ["uselib", 134, null],
  ["ustat", 136, null],
  ["vhangup", 153, 58],
];

/** Programs that probe for them fall back on ENOSYS but not always on EPERM. openat2 keeps its mode behind a pointer. */
const MISSING: readonly string[] = ["io_uring_enter", "io_uring_register", "io_uring_setup", "openat2"];

/** By name, for engines that build the filter themselves. Their library calls `sysctl` by its kernel name. */
export const REFUSED_CALLS = REFUSED.map(([name]) => ({
  name: name === "sysctl" ? "_sysctl" : name,
  errno: errnoOf(name),
}));

type Machine = Omit<CallNumbers, "refused">;

const X64: Machine = {
  auditArch: 0xc000003e,
  ...{ clone: 56, clone3: 435, ioctl: 16, socket: 41, socketpair: 53, shmget: 29 },
  modes: [
    { number: 85, mode: 1 }, // creat
    { number: 90, mode: 1 }, // chmod
    { number: 91, mode: 1 }, // fchmod
    { number: 133, mode: 1 }, // mknod
    { number: 259, mode: 2 }, // mknodat
    { number: 268, mode: 2 }, // fchmodat
    { number: 452, mode: 2 }, // fchmodat2
  ],
  opens: [
    { number: 2, flags: 1, mode: 2 }, // open
    { number: 257, flags: 2, mode: 3 }, // openat
  ],
  nameless: [319, 447],
};

const ARM64: Machine = {
  auditArch: 0xc00000b7,
  ...{ clone: 220, clone3: 435, ioctl: 29, socket: 198, socketpair: 199, shmget: 194 },
  modes: [
    { number: 33, mode: 2 }, // mknodat
    { number: 52, mode: 1 }, // fchmod
    { number: 53, mode: 2 }, // fchmodat
    { number: 452, mode: 2 }, // fchmodat2
  ],
  opens: [{ number: 56, flags: 2, mode: 3 }], // openat
  nameless: [279, 447],
};

/** For Node's `process.arch`; null for a machine this table does not know. */
export function callNumbers(arch: string): CallNumbers | null {
  switch (arch) {
    case "x64":
      return { ...X64, refused: REFUSED.map(([name, number]) => ({ number, errno: errnoOf(name) })) };
    case "arm64":
      return {
        ...ARM64,
        refused: REFUSED.flatMap(([name, , number]) => (number === null ? [] : [{ number, errno: errnoOf(name) }])),
      };
    default:
      return null;
  }
}

function errnoOf(name: string): number {
  return MISSING.includes(name) ? ENOSYS : EPERM;
}
