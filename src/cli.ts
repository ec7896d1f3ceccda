/** `pullwright ...`: reads the arguments and hands over. Each command is a file of cli/, loaded when it is asked for. */
import { TransientError, UserError } from "./failure.ts";

const USAGE = `pullwright COMMAND

  serve [--with-worker]      take deliveries from GitHub
  worker                     work on queued tasks
  run [--json] "TASK"        do a task in this checkout, without GitHub; edits stay uncommitted
  resume [--json] [RUN]      go on with a run of this checkout that was stopped or lost, at the turn where it was
  tasks [--limit N]          what was asked, newest first
  show RUN [--json]          one run's journal
  show RUN --patch | --bundle FILE
                             the change that it kept: for git am, or as a git bundle
  deliveries [--limit N]     what GitHub sent and why it started something or not
  costs [--days N] [--json]  what the models were paid, by day, repository and model
  doctor                     check settings, sandbox, database, models and GitHub
  eval DIR [--json]          run a folder of cases and score them
  patch [--strict] --root DIR
                             apply the patch on standard input to a folder, all or nothing (--strict: as codex does)

for debugging
  tool [NAME] --workspace DIR [--json]
                             run one tool as the agent would, JSON arguments on standard input;
                             without NAME a turn, [{"tool": NAME, "input": ARGUMENTS}, ...]
  sandbox --workspace DIR [--timeout SECONDS] -- CMD...
                             run a command as the agent's shell would

Settings come from the environment; README.md lists them.`;

/** Exit statuses from sysexits(3): a wrong call, a defect of ours, something to try again later. */
const EX_USAGE = 64;
const EX_SOFTWARE = 70;
const EX_TEMPFAIL = 75;

export type Command = (args: readonly string[]) => Promise<number>;

async function loadCommand(name: string | undefined): Promise<Command | null> {
  switch (name) {
    case "serve":
      return (await import("./cli/serve.ts")).serve;
    case "worker":
      return (await import("./cli/serve.ts")).worker;
    case "run":
      return (await import("./cli/run.ts")).run;
    case "resume":
      return (await import("./cli/resume.ts")).resume;
    case "tasks":
      return (await import("./cli/lists.ts")).tasks;
    case "show":
      return (await import("./cli/lists.ts")).show;
    case "deliveries":
      return (await import("./cli/lists.ts")).deliveries;
    case "costs":
      return (await import("./cli/costs.ts")).costs;
    case "doctor":
      return (await import("./cli/doctor.ts")).doctor;
    case "eval":
      return (await import("./cli/eval.ts")).evaluate;
    case "tool":
      return (await import("./cli/tool.ts")).tool;
    case "patch":
      return (await import("./cli/patch.ts")).patch;
    case "sandbox":
      return (await import("./cli/sandbox.ts")).sandbox;
    default:
      return null;
  }
}

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    console.log(USAGE);
    return name === undefined ? EX_USAGE : 0;
  }
  const command = await loadCommand(name);
  if (command) return command(rest);
  console.error(`pullwright: there is no command "${name}"\n\n${USAGE}`);
  return EX_USAGE;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.exitCode = complain(error);
}

/** What was thrown on purpose is written to be read; parseArgs names the argument it could not read. The rest is a defect. */
function complain(error: unknown): number {
  const isWrongCall = error instanceof TypeError && "code" in error;
  if (error instanceof UserError || error instanceof TransientError || isWrongCall) {
    console.error(`pullwright: ${error.message}`);
    return error instanceof TransientError ? EX_TEMPFAIL : EX_USAGE;
  }
  console.error(error);
  return EX_SOFTWARE;
}
