/** Runs the repository's own checks in the sandbox. The host does this itself: the agent's word about its tests is not evidence. */
import type { CommandRun, Journal } from "../journal.ts";
import type { ExecExit, SandboxSession } from "../sandbox/sandbox.ts";

const CHECK_MS_MAX = 10 * 60_000;
const CHECK_OUTPUT_BYTES_MAX = 8 * 1024 * 1024;
/** Characters kept of a check's output: test runners say what failed at the end. */
const TAIL_CHARS = 4_000;

export type Checking = {
  readonly journal: Journal;
  readonly session: SandboxSession;
  readonly commands: readonly string[];
};

/** Each is in the journal when this resolves. */
export async function recordChecks(
  { journal, session, commands }: Checking,
  signal: AbortSignal,
): Promise<readonly CommandRun[]> {
  const runs = await runChecks(session, commands, signal);
  for (const command of runs) await journal.append({ kind: "verified", command });
  return runs;
}

export async function runChecks(
  session: SandboxSession,
  commands: readonly string[],
  signal: AbortSignal,
): Promise<readonly CommandRun[]> {
  const runs: CommandRun[] = [];
  for (const command of commands) runs.push(await runCheck(session, command, signal));
  return runs;
}

async function runCheck(session: SandboxSession, command: string, signal: AbortSignal): Promise<CommandRun> {
  const argv = ["/bin/sh", "-c", command];
  const limits = { timeoutMs: CHECK_MS_MAX, outputBytesMax: CHECK_OUTPUT_BYTES_MAX };
  const { exit, stdout, stderr, wallMs } = await session.exec({ argv, cwd: "", stdin: "", ...limits }, signal);
  const output = Buffer.concat([stdout, stderr]).toString("utf8");
  return { command, exitCode: exitCode(exit), wallMs, outputTail: output.slice(-TAIL_CHARS) };
}

function exitCode(exit: ExecExit): number | null {
  return exit.kind === "exited" ? exit.code : null;
}
