/** The system calls that namespaces do not contain, tried from inside. */
import { expect, test } from "vitest";
import { seccompFilter } from "../../src/sandbox/seccomp.ts";
import { openSession } from "./open-session.ts";

const EPERM = 1;
const EINVAL = 22;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;

const X64_CALLS = [
  { name: "socket(AF_VSOCK)", call: [41, 40, 1, 0], errno: EAFNOSUPPORT },
  { name: "socket(AF_ALG)", call: [41, 38, 5, 0], errno: EAFNOSUPPORT },
  { name: "socket(AF_PACKET)", call: [41, 17, 3, 0], errno: EAFNOSUPPORT },
  { name: "socket(AF_NETLINK, NETFILTER)", call: [41, 16, 3, 12], errno: EAFNOSUPPORT },
  { name: "socketpair(AF_TIPC)", call: [53, 30, 1, 0, 0], errno: EAFNOSUPPORT },
  { name: "keyctl", call: [250, 0, -3, 0], errno: EPERM },
  { name: "add_key", call: [248, 0, 0, 0, 0, -3], errno: EPERM },
  { name: "request_key", call: [249, 0, 0, 0, -3], errno: EPERM },
  { name: "io_uring_setup", call: [425, 8, 0], errno: ENOSYS },
  { name: "bpf", call: [321, 0, 0, 0], errno: EPERM },
  { name: "perf_event_open", call: [298, 0, 0, -1, -1, 0], errno: EPERM },
  { name: "userfaultfd", call: [323, 0], errno: EPERM },
  { name: "unshare(CLONE_NEWUSER)", call: [272, 0x10000000], errno: EPERM },
  { name: "clone(CLONE_NEWUSER)", call: [56, 0x10000011, 0, 0, 0, 0], errno: EPERM },
  { name: "clone3", call: [435, 0, 0], errno: ENOSYS },
  { name: "open_by_handle_at", call: [304, -100, 0, 0], errno: EPERM },
  { name: "kexec_load", call: [246, 0, 0, 0, 0], errno: EPERM },
  { name: "ioctl(TIOCSTI)", call: [16, 0, 0x5412, 0], errno: EPERM },
  { name: "ioctl(TIOCLINUX)", call: [16, 0, 0x541c, 0], errno: EPERM },
  { name: "a call of the x32 interface", call: [0x40000000 + 39], errno: ENOSYS },
  { name: "a call newer than the filter", call: [1000], errno: ENOSYS },
];

test.runIf(process.arch === "x64").each(X64_CALLS)("$name is refused", async ({ call, errno }) => {
  await using session = await openSession();
  expect(await session.syscall(...call)).toEqual({ worked: false, errno });
});

test.runIf(process.arch === "x64")("sockets that tests need are had", async () => {
  await using session = await openSession();
  for (const call of [
    [41, 1, 1, 0],
    [41, 2, 1, 0],
    [41, 10, 2, 0],
    [41, 16, 3, 0],
  ]) {
    expect({ call, ...(await session.syscall(...call)) }).toEqual({ call, worked: true, errno: 0 });
  }
});

/** Runs the program as the kernel would, for machines that are not here. */
function judge(program: Buffer, call: { nr: number; arch: number; args: readonly number[] }): number {
  const words = new Map([
    [0, call.nr],
    [4, call.arch],
    ...call.args.map((value, index): [number, number] => [16 + 8 * index, value]),
  ]);
  let accumulator = 0;
  for (let at = 0; at < program.length / 8; at++) {
    const [code, ifTrue, ifFalse] = [program.readUInt16LE(at * 8), program[at * 8 + 2] ?? 0, program[at * 8 + 3] ?? 0];
    const operand = program.readUInt32LE(at * 8 + 4);
    if (code === 0x06) return operand;
    if (code === 0x20) accumulator = words.get(operand) ?? 0;
    if (code === 0x15) at += accumulator === operand ? ifTrue : ifFalse;
    if (code === 0x25) at += accumulator > operand ? ifTrue : ifFalse;
    if (code === 0x45) at += (accumulator & operand) !== 0 ? ifTrue : ifFalse;
  }
  throw new Error("fell off the end");
}

test("the arm64 program judges as the x86-64 one does", () => {
  const program = seccompFilter("arm64", { countsMemory: false }) ?? Buffer.alloc(0);
  const arm = (nr: number, ...args: readonly number[]) => judge(program, { nr, arch: 0xc00000b7, args });
  const [allow, kill, errno] = [0x7fff0000, 0x80000000, 0x00050000];
  expect(judge(program, { nr: 198, arch: 0xc000003e, args: [1, 1, 0] })).toBe(kill);
  expect([arm(64), arm(221), arm(117), arm(220, 17)]).toEqual([allow, allow, allow, allow]); // write execve ptrace clone
  expect([arm(198, 1, 1, 0), arm(198, 16, 3, 0), arm(199, 1, 1, 0)]).toEqual([allow, allow, allow]);
  expect([arm(198, 40, 1, 0), arm(198, 16, 3, 12), arm(199, 40)]).toEqual(Array(3).fill(errno | EAFNOSUPPORT));
  expect([arm(219), arm(97), arm(40), arm(29, 0, 0x5412), arm(220, 0x10000011)]).toEqual(Array(5).fill(errno | EPERM));
  expect([arm(425), arm(435), arm(437), arm(1000), arm(279)]).toEqual(Array(5).fill(errno | ENOSYS));
  // fchmod, fchmodat, mknodat, fchmodat2; openat that makes a file, and one that does not read its mode.
  expect([arm(52, 3, 0o4755), arm(53, 0, 0, 0o2755), arm(33, 0, 0, 0o106755), arm(452, 0, 0, 0o4000)]).toEqual(
    Array(4).fill(errno | EPERM),
  );
  expect([arm(56, 0, 0, 0x41, 0o4755), arm(56, 0, 0, 0x400002, 0o2755)]).toEqual(Array(2).fill(errno | EPERM));
  expect([arm(56, 0, 0, 0, 0o4755), arm(56, 0, 0, 0x41, 0o755), arm(52, 3, 0o1777)]).toEqual(Array(3).fill(allow));
  expect([arm(194, 0, 1 << 21), arm(194, 0, 1 << 12)]).toEqual([errno | EINVAL, allow]);
});

test("a machine without a call table has no filter, and so no sandbox", () => {
  expect(seccompFilter("riscv64", { countsMemory: true })).toBeNull();
});
