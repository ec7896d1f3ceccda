/**
 * The sandbox's system-call filter as container engines take it: JSON of names, which libseccomp turns into a program. It judges as
 * seccomp.ts does. Of two rules for one call an engine does not take the narrower one, so no two of ours hold at once.
 */
import { ALLOWED_CALLS } from "./seccomp-allowed.ts";
import { REFUSED_CALLS } from "./seccomp-calls.ts";
import {
  AF_NETLINK,
  EAFNOSUPPORT,
  ENOSYS,
  EPERM,
  FAMILIES,
  MAKES_FILE,
  NETLINK_ROUTE,
  NEW_NAMESPACES,
  SEGMENT_BYTES_MAX,
  SETS_ID,
  TIOCLINUX,
  TIOCSTI,
} from "./seccomp.ts";

/** https://github.com/opencontainers/runtime-spec/blob/main/config-linux.md#seccomp; with MASKED_EQ `value` is the mask. */
type Condition = {
  readonly index: number;
  readonly value: number;
  readonly valueTwo: number;
  readonly op: "SCMP_CMP_EQ" | "SCMP_CMP_LE" | "SCMP_CMP_MASKED_EQ";
};

export type SeccompRule = {
  readonly names: readonly string[];
  readonly action: "SCMP_ACT_ALLOW" | "SCMP_ACT_ERRNO";
  readonly errnoRet?: number;
  /** All must hold. */
  readonly args?: readonly Condition[];
};

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "SCMP_ARCH_X86_64", arm64: "SCMP_ARCH_AARCH64" };

/** Calls that set a file's mode, and which argument holds it. */
const MODES = [
  ...[["creat", 1] as const, ["chmod", 1] as const, ["fchmod", 1] as const, ["mknod", 1] as const],
  ...[["mknodat", 2] as const, ["fchmodat", 2] as const, ["fchmodat2", 2] as const],
];
const OPENS = [["open", 1, 2] as const, ["openat", 2, 3] as const];
const NAMELESS = ["memfd_create", "memfd_secret"];
const ARGUMENT_BITS = 32;

/** For Node's `process.arch`; null where seccompFilter is, too. `countsMemory` as there. */
export function seccompProfile(arch: string, memory: { readonly countsMemory: boolean }): string | null {
  const architecture = ARCHITECTURES[arch];
  if (architecture === undefined) return null;
  const profile = {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: EPERM, // As Docker 20.10, which does not read it. For calls newer than the list runc answers ENOSYS by itself.
    architectures: [architecture], // No others: 32-bit and x32 calls end the process.
    syscalls: seccompRules(memory),
  };
  return JSON.stringify(profile);
}

export function seccompRules({ countsMemory }: { readonly countsMemory: boolean }): readonly SeccompRule[] {
  return [
    allow([...ALLOWED_CALLS, ...(countsMemory ? [...NAMELESS, "shmget"] : [])]),
    ...REFUSED_CALLS.map(({ name, errno }) => refuse([name], errno)),
    ...(countsMemory
      ? []
      : [refuse(NAMELESS, ENOSYS), allow(["shmget"], compare(1, "SCMP_CMP_LE", SEGMENT_BYTES_MAX))]),
    refuse(["clone3"], ENOSYS),
    allow(["clone"], hasNone(0, NEW_NAMESPACES)),
    ...MODES.map(([name, mode]) => allow([name], hasNone(mode, SETS_ID))),
    ...OPENS.flatMap(([name, flags, mode]) => [
      allow([name], hasNone(flags, MAKES_FILE)),
      allow([name], hasNone(mode, SETS_ID)),
    ]),
    ...[TIOCSTI, TIOCLINUX].map((request) => refuse(["ioctl"], EPERM, hasBits(1, -1 >>> 0, request))),
    ...anythingBut([TIOCSTI, TIOCLINUX], 1).map((condition) => allow(["ioctl"], condition)),
    ...["socket", "socketpair"].flatMap((name) => judgeFamilies(name)),
  ];
}

function judgeFamilies(name: string): SeccompRule[] {
  return [
    ...FAMILIES.map((family) => allow([name], compare(0, "SCMP_CMP_EQ", family))),
    allow([name], compare(0, "SCMP_CMP_EQ", AF_NETLINK), compare(2, "SCMP_CMP_EQ", NETLINK_ROUTE)),
    ...anythingBut([...FAMILIES, AF_NETLINK], 0).map((condition) => refuse([name], EAFNOSUPPORT, condition)),
    ...anythingBut([NETLINK_ROUTE], 2).map((condition) =>
      refuse([name], EAFNOSUPPORT, compare(0, "SCMP_CMP_EQ", AF_NETLINK), condition),
    ),
  ];
}

/**
 * Conditions of which one holds exactly when the low half of the argument is none of `values`. The kernel reads no more of it, but
 * "not equal" compares 64 bits: TIOCSTI with a high bit set would pass. And two of them on one argument would be joined by "or".
 */
function anythingBut(refused: readonly number[], index: number): Condition[] {
  const found: Condition[] = [];
  const visit = (values: readonly number[], { bit, mask, known }: { bit: number; mask: number; known: number }) => {
    if (values.length === 0) return void found.push(hasBits(index, mask, known));
    if (bit < 0) return;
    const power = 2 ** bit;
    const isSet = (value: number) => Math.floor(value / power) % 2 === 1;
    const next = { bit: bit - 1, mask: mask + power };
    visit(values.filter(isSet), { ...next, known: known + power });
    visit(
      values.filter((value) => !isSet(value)),
      { ...next, known },
    );
  };
  visit(refused, { bit: ARGUMENT_BITS - 1, mask: 0, known: 0 });
  return found;
}

function allow(names: readonly string[], ...args: readonly Condition[]): SeccompRule {
  return { names, action: "SCMP_ACT_ALLOW", ...(args.length > 0 ? { args } : {}) };
}

function refuse(names: readonly string[], errnoRet: number, ...args: readonly Condition[]): SeccompRule {
  return { names, action: "SCMP_ACT_ERRNO", errnoRet, ...(args.length > 0 ? { args } : {}) };
}

function compare(index: number, op: "SCMP_CMP_EQ" | "SCMP_CMP_LE", value: number): Condition {
  return { index, value, valueTwo: 0, op };
}

function hasBits(index: number, mask: number, value: number): Condition {
  return { index, value: mask, valueTwo: value, op: "SCMP_CMP_MASKED_EQ" };
}

function hasNone(index: number, mask: number): Condition {
  return hasBits(index, mask, 0);
}
