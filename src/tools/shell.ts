/** The shell tool: one stateless command in the sandbox, with a limit on time and output. A patch typed into it is applied by our engine. */
import { z } from "zod";
import { unreachable } from "../failure.ts";
import type { CommandRun } from "../journal.ts";
import type { ExecExit, ExecResult, SandboxSession } from "../sandbox/sandbox.ts";
import type { PatchApplier } from "./apply-patch.ts";
import { defineTool } from "./define-tool.ts";
import { readShellPatch } from "./shell-patch.ts";
import type { Tool } from "./tool.ts";
import { cleanText, truncate } from "./truncate.ts";

export type ShellLimits = {
  /** When the model names no time. */
  readonly timeoutMs: number;
  readonly timeoutMsMax: number;
  /** Of the output that the model sees. */
  readonly outputBytesMax: number;
};

/** Test suites take minutes; a run as a whole has its own limit. */
export const SHELL_LIMITS: ShellLimits = { timeoutMs: 120_000, timeoutMsMax: 600_000, outputBytesMax: 16 * 1024 };

/** Past this a command is stopped: it floods. */
const FLOOD_BYTES = 8 * 1024 * 1024;
/** Shorter is not worth a word. */
const TIME_STEP_MS = 30_000;
/** For people, in the evidence of a pull request. */
const EVIDENCE_BYTES_MAX = 2000;

const Input = z
  .object({
    command: z.string().optional(),
    timeout_seconds: z.number().positive().max(3600).optional(),
    restart: z.boolean().optional(),
  })
  .refine(({ command, restart }) => restart === true || (command ?? "").trim() !== "", {
    path: ["command"],
    message: "is missing",
  });
const Told = z.object({ command: z.string(), timeout_seconds: z.int().min(1).max(600).optional() });

export type Shell = {
  readonly session: SandboxSession;
  readonly limits: ShellLimits;
  /** Null where nothing may be edited. */
  readonly applyPatch: PatchApplier | null;
};

export function shellTool({ session, limits, applyPatch }: Shell): Tool {
  return defineTool({
    name: "shell",
    native: "shell",
    effect: "writes",
    input: Input,
    told: Told,
    run: async ({ command = "", timeout_seconds: seconds, restart }, signal) => {
      if (restart === true && command === "") return { text: "Nothing to restart: every command starts fresh." };
      const patch = applyPatch && readShellPatch(command);
      if (applyPatch && patch) return applyPatch(patch.text, patch.dir, signal);
      const timeoutMs = Math.min(seconds === undefined ? limits.timeoutMs : seconds * 1000, limits.timeoutMsMax);
      const exec = { argv: argvOf(command), cwd: "", stdin: "", timeoutMs, outputBytesMax: FLOOD_BYTES };
      const result = await session.exec(exec, signal);
      return report(command, result, limits.outputBytesMax);
    },
  });
}

/** bash where there is one, because models write it. Both streams as one, in the order they were written. */
function argvOf(command: string): readonly string[] {
  const choose = 'exec 2>&1; command -v bash >/dev/null && exec bash -c "$1"; exec /bin/sh -c "$1"';
  return ["/bin/sh", "-c", choose, "sh", command];
}

function report(command: string, result: ExecResult, outputBytesMax: number): { text: string; command: CommandRun } {
  const { exit, wallMs } = result;
  const output = cleanText(Buffer.concat([result.stdout, result.stderr]).toString());
  const shown = output === "" ? "(no output)" : truncate(output, outputBytesMax);
  const exitCode = exit.kind === "exited" ? exit.code : null;
  const outputTail = tailOf(output);
  return {
    text: `${describe(exit)}${describeTime(wallMs)}\n${shown}`,
    command: { command: cleanText(command), exitCode, wallMs: Math.round(wallMs), outputTail },
  };
}

/**
 * In steps, and not at all for most commands: the exact time never decides what is done next, and without it the same command
 * is the same observation, by which a repeated review finds the replies that were kept.
 */
function describeTime(wallMs: number): string {
  const steps = Math.floor(wallMs / TIME_STEP_MS);
  return steps === 0 ? "" : ` (took over ${(steps * TIME_STEP_MS) / 1000} s)`;
}

function describe(exit: ExecExit): string {
  switch (exit.kind) {
    case "exited":
      return `Exit status ${exit.code}`;
    case "signaled":
      return `Ended by ${exit.signal}`;
    case "timed-out":
      return `Stopped at its time limit of ${exit.timeoutMs / 1000} s, with all it started; timeout_seconds can be at most 600`;
    case "output-limit":
      return `Stopped after ${exit.outputBytesMax} bytes of output; write it to a file or filter it`;
    case "memory-limit":
      return `Stopped for using more than ${Math.round(exit.memoryBytes / 1024 / 1024)} MiB of memory`;
    case "disk-limit":
      return `Stopped for filling the disk: the workspace may grow by ${Math.round(exit.workspaceBytesMax / 1024 ** 3)} GiB; delete what is not needed`;
    default:
      return unreachable(exit);
  }
}

function tailOf(output: string): string {
  const bytes = Buffer.from(output.trimEnd());
  if (bytes.length <= EVIDENCE_BYTES_MAX) return bytes.toString();
  const start = bytes.indexOf(10, bytes.length - EVIDENCE_BYTES_MAX) + 1;
  return cleanText(bytes.subarray(start === 0 ? bytes.length - EVIDENCE_BYTES_MAX : start).toString());
}
