/** `sandbox`: a command exactly as the agent's shell would run it, its output and exit status passed through. */
import { parseArgs } from "node:util";
import { UserError, unreachable } from "../failure.ts";
import type { ExecExit } from "../sandbox/sandbox.ts";
import { openSession, untilInterrupted } from "./open-session.ts";

const TIMEOUT_SECONDS = 120;
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

export async function sandbox(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { workspace: { type: "string" }, timeout: { type: "string", default: String(TIMEOUT_SECONDS) } },
    allowPositionals: true,
  });
  const timeoutMs = Number(values.timeout) * 1000;
  if (!(timeoutMs > 0)) throw new UserError(`--timeout takes seconds, not "${values.timeout}".`);
  if (values.workspace === undefined || positionals.length === 0) {
    throw new UserError("usage: pullwright sandbox --workspace DIR [--timeout SECONDS] -- CMD...");
  }
  const interrupted = untilInterrupted();
  await using session = await openSession(values.workspace);
  const exec = { argv: positionals, cwd: "", stdin: "", timeoutMs, outputBytesMax: OUTPUT_BYTES_MAX };
  const result = await session.exec(exec, interrupted);
  process.stdout.write(result.stdout);
  process.stderr.write(result.stderr);
  const status = exitStatus(result.exit);
  return status;
}

/** As shells and timeout(1) have it: 124 for time, 137 for a kill, 128 and the signal's number otherwise. */
function exitStatus(exit: ExecExit): number {
  switch (exit.kind) {
    case "exited":
      return exit.code;
    case "timed-out":
      console.error(`pullwright: stopped after ${exit.timeoutMs / 1000} s`);
      return 124;
    case "output-limit":
      console.error(`pullwright: stopped after ${exit.outputBytesMax} bytes of output`);
      return 137;
    case "memory-limit":
      console.error(`pullwright: stopped at ${exit.memoryBytes} bytes of memory`);
      return 137;
    case "disk-limit":
      console.error("pullwright: stopped for filling the disk");
      return 137;
    case "signaled":
      console.error(`pullwright: ended by ${exit.signal}`);
      return 137;
    default:
      return unreachable(exit);
  }
}
