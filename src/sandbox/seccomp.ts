/**
 * The system-call filter of the sandbox, as a classic BPF program for `bwrap --seccomp`. It takes away what namespaces
 * do not contain (vsock, keyrings, io_uring, kernel interfaces); what it does not name stays allowed.
 */
import { callNumbers, LAST_KNOWN_CALL } from "./seccomp-calls.ts";

// linux/bpf_common.h, linux/filter.h
const LOAD_WORD = 0x20; // BPF_LD | BPF_W | BPF_ABS
const JUMP_IF_EQUAL = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const JUMP_IF_GREATER = 0x25; // BPF_JMP | BPF_JGT | BPF_K
const JUMP_IF_ANY_BIT = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const RETURN = 0x06; // BPF_RET | BPF_K

// linux/seccomp.h
const ALLOW = 0x7fff0000;
const KILL_PROCESS = 0x80000000;
const ERRNO = 0x00050000;

// struct seccomp_data: int nr; u32 arch; u64 instruction_pointer; u64 args[6]. Both machines are little-endian, so the
// low half of an argument comes first.
const CALL = 0;
const ARCH = 4;
const argument = (index: number) => 16 + 8 * index;

export const EPERM = 1;
const EINVAL = 22;
export const ENOSYS = 38;
export const EAFNOSUPPORT = 97;

// AF_UNIX, AF_INET, AF_INET6: what tests open. AF_VSOCK reaches the hypervisor whatever the network
// namespace; AF_ALG, AF_PACKET and the rest are kernel surface nobody's build needs.
export const FAMILIES = [1, 2, 10];
export const AF_NETLINK = 16;
/** Listing interfaces (getifaddrs, `ip`); every other netlink protocol is refused. */
export const NETLINK_ROUTE = 0;

/** CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET. (clone cannot carry CLONE_NEWTIME.) */
export const NEW_NAMESPACES = 0x7e020000;

/** They type into, or paste from, the terminal of whoever started the server. */
export const TIOCSTI = 0x5412;
export const TIOCLINUX = 0x541c;

/** S_ISUID | S_ISGID: on the host such a file would lend its owner's rights to whoever runs it. */
export const SETS_ID = 0o6000;
/** O_CREAT | __O_TMPFILE, the same numbers on both machines. */
export const MAKES_FILE = 0x40 | 0x400000;
/** PostgreSQL asks for 56 bytes. A larger segment is memory that no process's count shows. */
export const SEGMENT_BYTES_MAX = 1024 * 1024;

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, operand: number];

const load = (offset: number): Instruction => [LOAD_WORD, 0, 0, offset];
const give = (verdict: number): Instruction => [RETURN, 0, 0, verdict];
const fail = (errno: number): Instruction => give(ERRNO | errno);

/**
 * The program for Node's `process.arch`, or null where no call table exists: there is no sandbox without a filter. Without a
 * control group that counts all memory, the kinds that no process's own count shows are refused as well.
 */
export function seccompFilter(arch: string, { countsMemory }: { readonly countsMemory: boolean }): Buffer | null {
  const calls = callNumbers(arch);
  if (!calls) return null;
  return encode([
    ...refuseOtherArches(calls.auditArch),
    load(CALL),
    // Also refuses x32, whose numbers start at 2^30.
    ...[skipUnless(JUMP_IF_GREATER, LAST_KNOWN_CALL), fail(ENOSYS)],
    ...calls.refused.flatMap(({ number, errno }) => [skipUnless(JUMP_IF_EQUAL, number), fail(errno)]),
    // glibc falls back to clone, whose flags a filter can read; those of clone3 lie behind a pointer.
    ...onCall(calls.clone3, [fail(ENOSYS)]),
    ...onCall(calls.clone, [load(argument(0)), skipUnless(JUMP_IF_ANY_BIT, NEW_NAMESPACES), fail(EPERM), give(ALLOW)]),
    ...calls.opens.flatMap(({ number, flags, mode }) => onCall(number, refuseSetIdFile(flags, mode))),
    ...calls.modes.flatMap(({ number, mode }) => onCall(number, refuseSetId(mode))),
    ...(countsMemory ? [] : calls.nameless.flatMap((number) => onCall(number, [fail(ENOSYS)]))),
    ...(countsMemory ? [] : onCall(calls.shmget, refuseLargeSegment())),
    ...onCall(calls.ioctl, refuseTerminalTricks()),
    ...onCall(calls.socket, allowFamilies()),
    ...onCall(calls.socketpair, allowFamilies()),
    give(ALLOW),
  ]);
}

function refuseOtherArches(auditArch: number): Instruction[] {
  return [load(ARCH), [JUMP_IF_EQUAL, 1, 0, auditArch], give(KILL_PROCESS)];
}

/** The next instruction runs only if the test holds. */
function skipUnless(code: number, operand: number): Instruction {
  return [code, 0, 1, operand];
}

/** `body` must end in a return: the accumulator no longer holds the call number after it. */
function onCall(number: number, body: readonly Instruction[]): Instruction[] {
  return [[JUMP_IF_EQUAL, 0, body.length, number], ...body];
}

function refuseSetId(mode: number): Instruction[] {
  return [load(argument(mode)), skipUnless(JUMP_IF_ANY_BIT, SETS_ID), fail(EPERM), give(ALLOW)];
}

function refuseSetIdFile(flags: number, mode: number): Instruction[] {
  const judged = refuseSetId(mode);
  return [load(argument(flags)), [JUMP_IF_ANY_BIT, 0, judged.length, MAKES_FILE], ...judged, give(ALLOW)];
}

/** The size has 64 bits. */
function refuseLargeSegment(): Instruction[] {
  return [
    ...[load(argument(1) + 4), skipUnless(JUMP_IF_GREATER, 0), fail(EINVAL)],
    ...[load(argument(1)), skipUnless(JUMP_IF_GREATER, SEGMENT_BYTES_MAX), fail(EINVAL)],
    give(ALLOW),
  ];
}

function refuseTerminalTricks(): Instruction[] {
  return [
    load(argument(1)),
    ...[skipUnless(JUMP_IF_EQUAL, TIOCSTI), fail(EPERM)],
    ...[skipUnless(JUMP_IF_EQUAL, TIOCLINUX), fail(EPERM)],
    give(ALLOW),
  ];
}

function allowFamilies(): Instruction[] {
  const netlink = [
    load(argument(2)),
    skipUnless(JUMP_IF_EQUAL, NETLINK_ROUTE),
    give(ALLOW),
    fail(EAFNOSUPPORT),
  ] satisfies Instruction[];
  return [
    load(argument(0)),
    ...onCall(AF_NETLINK, netlink),
    ...FAMILIES.flatMap((family) => [skipUnless(JUMP_IF_EQUAL, family), give(ALLOW)]),
    fail(EAFNOSUPPORT),
  ];
}

/** struct sock_filter { u16 code; u8 jt; u8 jf; u32 k; }, little-endian. */
function encode(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  program.forEach(([code, ifTrue, ifFalse, operand], index) => {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(ifTrue, index * 8 + 2);
    bytes.writeUInt8(ifFalse, index * 8 + 3);
    bytes.writeUInt32LE(operand, index * 8 + 4);
  });
  return bytes;
}
