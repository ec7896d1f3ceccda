/** Attacks that try to live on after their command, or to spoil the next one. @NAP@ is a sleep nobody else on the machine sleeps. */
import { processesWith } from "../open-session.ts";
import type { Attack, Scene } from "./attack.ts";

const nobodyLeft = async ({ bait }: Scene): Promise<string | null> => {
  const left = await processesWith(bait.nap);
  return left.length === 0 ? null : `still alive: ${left.join(" | ").replaceAll("\0", " ")}`;
};

export const SURVIVOR_ATTACKS: readonly Attack[] = [
  {
    name: "forks twice, into a session of its own, deaf to signals",
    language: "bash",
    program: `(setsid bash -c 'trap "" TERM HUP INT QUIT USR1; (setsid sleep @NAP@ &) ; exec sleep @NAP@' &); sleep 0.1`,
    look: nobodyLeft,
  },
  {
    name: "leaves a stopped process",
    language: "bash",
    program: `sleep @NAP@ & kill -STOP $!; (setsid sleep @NAP@ & kill -STOP $!)`,
    look: nobodyLeft,
  },
  {
    name: "leaves a daemon that holds its output",
    language: "bash",
    program: `(setsid nohup sleep @NAP@ &) ; sleep @NAP@ & disown -a`,
    look: nobodyLeft,
  },
  {
    name: "forks faster than it is killed",
    language: "perl",
    program: `$SIG{CHLD} = "IGNORE"; if (!fork) { while (1) { my $p = fork; next unless defined $p; if ($p) { exec "sleep", "@NAP@" if rand() < 0.1; exit } } } select(undef, undef, undef, 0.3);`,
    look: nobodyLeft,
    ends: ["exited", "signaled"],
  },
  {
    name: "turns process 1 with ptrace, so that it outlives its parent",
    language: "perl",
    program: `my $nr = qx(uname -m) =~ /x86_64/ ? 101 : 117; if (!fork) { if (syscall($nr, 16, 1, 0, 0) == 0) { sleep 1; while (1) { syscall($nr, 7, 1, 0, 0); select(undef, undef, undef, 0.01) } } exec "sleep", "@NAP@" } select(undef, undef, undef, 0.2); exit 0`,
    ends: ["exited", "signaled", "timed-out"],
    timeoutMs: 3000,
    look: nobodyLeft,
  },
  {
    name: "outlives a time-out while it hides behind a stopped parent",
    language: "bash",
    program: `(setsid sleep @NAP@ &) ; kill -STOP $$; sleep @NAP@`,
    ends: ["timed-out"],
    timeoutMs: 1000,
    look: nobodyLeft,
  },
  {
    name: "waits in the kernel on a FIFO that nobody opens",
    language: "bash",
    program: `mkfifo pipe; (setsid bash -c 'exec 3<pipe; exec sleep @NAP@' &) ; (setsid bash -c 'exec 3>pipe2; exec sleep @NAP@' &) ; sleep 0.1`,
    look: nobodyLeft,
  },
  {
    name: "takes away the rights on its own output",
    language: "bash",
    program: `chmod 000 /proc/self/fd/1 /proc/self/fd/2 2>/dev/null; chmod 000 /dev/stdout 2>/dev/null; true`,
    look: nobodyLeft,
  },
  {
    name: "reads its own output so that the host waits for it",
    language: "bash",
    program: `(setsid cat /proc/self/fd/1 >/dev/null 2>&1 &) ; (setsid bash -c 'exec 9<>/proc/self/fd/1; exec sleep @NAP@' &) ; sleep 0.1`,
    look: nobodyLeft,
  },
  {
    name: "closes the workspace to its owner",
    language: "bash",
    program: `mkdir -p x/y; chmod 000 x/y x .; sleep 0.05`,
    look: nobodyLeft,
  },
];
