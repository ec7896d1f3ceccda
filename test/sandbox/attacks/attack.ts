/** What an attack is: a small program for the inside of a sandbox, and how it must end for the sandbox to have held. */
import type { ExecExit, SandboxLimits } from "../../../src/sandbox/sandbox.ts";
import type { Bait } from "./bait.ts";

export type Attack = {
  readonly name: string;
  readonly language: "bash" | "perl" | "node";
  /**
   * Says "BROKE: what" for each thing it got, "SKIPPED: why" where it cannot be tried, and "HELD" at its end (added to
   * every program). @NAMES@ stand for the bait's.
   */
  readonly program: string;
  /** For attacks on a limit: the ends that mean it held. Without, the program must come to its own end. */
  readonly ends?: readonly ExecExit["kind"][];
  readonly limits?: Partial<SandboxLimits>;
  readonly timeoutMs?: number;
  /** It ends with the process that makes the call, so what comes after it may have the same session. */
  readonly isOneCall?: true;
  /** The host's own look when the command has ended: what is wrong, or null. */
  readonly look?: (scene: Scene) => Promise<string | null>;
};

export type Scene = { readonly workspaceDir: string; readonly bait: Bait };

export type Verdict =
  | { readonly kind: "held" }
  | { readonly kind: "broke"; readonly what: string }
  | { readonly kind: "skipped"; readonly why: string }
  /** It neither got through nor came to its end: no proof of anything. */
  | { readonly kind: "unclear"; readonly said: string };

const PRELUDES = {
  bash: `broke() { echo "BROKE: $*"; }\nrefuse() { if "$@" >/dev/null 2>&1 </dev/null; then broke "$*"; fi; }\n`,
  perl: `use strict; use warnings; no warnings "exec"; $| = 1;
    sub broke { print "BROKE: @_\\n" }
    sub call { my ($number, @rest) = @_; return syscall($number, @rest) }
    sub refused { my ($name, @call) = @_; broke($name) if call(@call) >= 0 }\n`,
  node: `const broke = (what) => console.log("BROKE: " + what);\n`,
} as const;

const EPILOGUES = { bash: "\necho HELD\n", perl: '\n;print "HELD\\n";', node: "" } as const;

export function argvOf(attack: Attack, bait: Bait): readonly string[] {
  const { language } = attack;
  const program = PRELUDES[language] + bait.fill(attack.program) + EPILOGUES[language];
  if (language === "bash") return ["bash", "-c", program];
  return language === "perl" ? ["perl", "-e", program] : ["node", "-e", program];
}
