/** Attacks by system call: namespaces, mounts, and doors of the kernel that no build needs. One attack a call. */
import type { Attack } from "./attack.ts";

type Call = readonly [name: string, x64: number, arm64: number | null, args: string];

// Arguments are Perl. Strings become pointers; with a null pointer most calls would fail anyway, and prove nothing.
const CALLS: readonly Call[] = [
  ["unshare of a user namespace", 272, 97, "0x10000000"],
  ["unshare of a mount namespace", 272, 97, "0x20000"],
  ["unshare of a network namespace", 272, 97, "0x40000000"],
  ["unshare of a pid namespace", 272, 97, "0x20000000"],
  ["unshare of ipc, uts, cgroup and time namespaces", 272, 97, "0x0e000080"],
  ["clone into a user namespace", 56, 220, "0x10000011, 0, 0, 0, 0"],
  ["clone into user and mount namespaces", 56, 220, "0x10020011, 0, 0, 0, 0"],
  ["clone3 into a user namespace", 435, 435, 'pack("Q8", 0x10000000, 0, 0, 0, 17, 0, 0, 0), 64'],
  ["setns to process 1", 308, 268, 'do { open(F, "<", "/proc/1/ns/mnt"); fileno(F) }, 0'],
  ["mount of a proc", 165, 40, '"proc", "/tmp", "proc", 0, 0'],
  ["mount over the workspace", 165, 40, '"/usr", "/workspace", "", 4096, 0'],
  ["remount of / writable", 165, 40, '"", "/", "", 4096 | 32, 0'],
  ["umount of /proc/sys", 166, 39, '"/proc/sys", 2'],
  ["pivot_root", 155, 41, '"/tmp", "/tmp"'],
  ["chroot", 161, 51, '"/tmp"'],
  ["open_tree with a clone", 428, 428, '-100, "/usr", 1'],
  ["fsopen", 430, 430, '"tmpfs", 0'],
  ["move_mount", 429, 429, '-100, "/usr", -100, "/tmp", 0'],
  ["mount_setattr", 442, 442, '-100, "/usr", 0, pack("Q4", 0, 1, 0, 0), 32'],
  ["open_by_handle_at", 304, 265, 'do { open(F, "<", "/usr"); fileno(F) }, pack("Iia8", 8, 1, "\\2" . "\\0" x 7), 0'],
  ["io_uring_setup", 425, 425, '8, "\\0" x 120'],
  ["keyctl for the session keyring", 250, 219, "0, -3, 1"],
  ["keyctl that joins a keyring by name", 250, 219, '1, "pullwright"'],
  ["add_key to the user keyring", 248, 217, '"user", "planted", "x", 1, -4'],
  ["request_key", 249, 218, '"user", "anything", 0, -3'],
  ["bpf with a map", 321, 280, '0, pack("V18", 2, 4, 4, 1), 72'],
  ["perf_event_open", 298, 241, 'pack("VVQ14", 1, 120), 0, -1, -1, 0'],
  ["userfaultfd", 323, 282, "1"],
  ["fanotify_init", 300, 262, "0, 0"],
  ["ptrace of the worker", 101, 117, "16, @PID@, 0, 0"],
  ["process_vm_readv of the worker", 310, 270, '@PID@, pack("QQ", 0, 8), 1, pack("QQ", 0x400000, 8), 1, 0'],
  ["pidfd_open of the worker", 434, 434, "@PID@, 0"],
  ["kexec_load", 246, 104, "0, 0, 0, 0"],
  ["kexec_file_load", 320, 294, '-1, -1, 0, "", 4'],
  ["init_module", 175, 105, '"x" x 64, 64, ""'],
  ["finit_module", 313, 273, 'do { open(F, "<", "/usr/bin/env"); fileno(F) }, "", 0'],
  ["delete_module", 176, 106, '"loop", 0'],
  ["reboot", 169, 142, "0xfee1dead, 672274793, 0"],
  ["acct", 163, 89, '"/tmp/acct"'],
  ["swapon", 167, 224, '"/tmp/swap", 0'],
  ["settimeofday", 164, 170, 'pack("qq", 1, 1), 0'],
  ["clock_settime", 227, 112, '0, pack("qq", 1, 1)'],
  ["clock_adjtime of the frequency", 305, 266, '0, pack("V", 2) . "\\0" x 204'],
  ["syslog", 103, 116, '3, "\\0" x 256, 256'],
  ["sethostname", 170, 161, '"owned", 5'],
  ["setdomainname", 171, 162, '"owned", 5'],
  ["iopl", 172, null, "3"],
  ["ioperm", 173, null, "0, 8, 1"],
  ["modify_ldt", 154, null, '1, pack("VVVV", 0, 0, 0xfffff, 0x51), 16'],
  ["quotactl", 179, 60, '0x800002, "/dev/vda", 0, "\\0" x 64'],
  ["TIOCSTI on the terminal", 16, 29, '0, 0x5412, "x"'],
  ["TIOCLINUX on the terminal", 16, 29, '0, 0x541c, "\\2"'],
  ["TIOCSTI with high bits set", 16, 29, '0, 0x100005412, "x"'],
  ["setuid 0", 105, 146, "0"],
  ["setresgid 0", 119, 149, "0, 0, 0"],
  ["a call newer than the filter", 1000, 1000, "0"],
];

const machine = process.arch === "arm64" ? "arm64" : "x64";

export const SYSTEM_CALL_ATTACKS: readonly Attack[] = [
  ...CALLS.flatMap(([name, x64, arm64, args]): Attack[] => {
    const number = machine === "x64" ? x64 : arm64;
    if (number === null) return [];
    const program = `refused("${name}", ${number}, ${args});`;
    return [{ name: `calls ${name}`, language: "perl", program, isOneCall: true }];
  }),
  {
    name: "calls the 32-bit interface",
    language: "perl",
    // An ELF of its own: mov eax, 20 (getpid); int 0x80; exit with 7 if that gave a number, else 0.
    program: `if ((split " ", qx(uname -m))[0] ne "x86_64") { print "SKIPPED: no 32-bit calls on this machine\\n"; exit }
      my $code = pack("H*", "b814000000cd8089c731c085ff0f9fc069f807000000b83c0000000f05");
      my $elf = "\\x7fELF" . pack("C4x8", 2, 1, 1, 0) . pack("SSLQQQLSSSSSS", 2, 62, 1, 0x400078, 64, 0, 0, 64, 56, 1, 0, 0, 0)
        . pack("LLQQQQQQ", 1, 5, 0, 0x400000, 0x400000, 120 + length $code, 120 + length $code, 4096) . $code;
      open(my $f, ">", "int80"); print $f $elf; close $f; chmod 0755, "int80"; my $status = system("./int80");
      broke("int 0x80 answered") if $status >> 8 == 7; print "status $status\\n"; die "not refused by a signal" unless ($status & 127) == 31;`,
  },
  {
    name: "calls the x32 interface",
    language: "perl",
    program: `if ((split " ", qx(uname -m))[0] ne "x86_64") { print "SKIPPED: no x32 calls on this machine\\n"; exit }
      for my $call ([0x40000000 + 39], [0x40000000 + 521, 0, 0, 0, 0]) { my $child = fork // die; # Some filters end whoever tries.
        if (!$child) { exit(syscall($call->[0], @$call[1 .. $#$call]) >= 0 ? 7 : 0) } waitpid $child, 0; broke("x32 call $call->[0]") if $? >> 8 == 7 }`,
  },
  {
    name: "builds a sandbox of its own to be root in",
    language: "bash",
    program: `refuse bwrap --ro-bind / / true; refuse unshare -Ur true; refuse unshare --user --map-root-user id; refuse nsenter -t 1 -m true
      refuse setpriv --reuid=0 true; refuse capsh --caps=cap_sys_admin+ep -- -c true; refuse chroot / true`,
  },
];
