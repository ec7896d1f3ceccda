/** `tool`: one tool, run exactly as the agent would run it. JSON arguments on standard input; the observation on standard output. */
import { parseArgs } from "node:util";
import { text } from "node:stream/consumers";
import { UserError } from "../failure.ts";
import { dispatchCalls } from "../tools/dispatch.ts";
import { openToolset } from "../tools/toolset.ts";
import { openSession, untilInterrupted } from "./open-session.ts";

export async function tool(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { workspace: { type: "string" } },
    allowPositionals: true,
  });
  const [name] = positionals;
  if (name === undefined || values.workspace === undefined) {
    throw new UserError("usage: pullwright tool NAME --workspace DIR < ARGUMENTS.json");
  }
  const input = readInput(await text(process.stdin));
  const interrupted = untilInterrupted();
  await using session = await openSession(values.workspace);
  // apply_patch belongs to one way of editing and edit to the other; a person may try either.
  const editing = name === "apply_patch" ? "patch" : "replace";
  const toolset = openToolset({
    ...{ session, editing, goal: "change", mustRead: false },
    onPlan: () => {},
    onReport: () => {},
  });
  const [observation] = await dispatchCalls(toolset, [{ id: "call", tool: name, input }], {
    signal: interrupted,
    now: Date.now,
    onResult: async () => {},
  });
  console.log(observation?.text ?? "");
  return observation?.isError === false ? 0 : 1;
}

/** What is not JSON is taken as it is: apply_patch takes free text. */
function readInput(stdin: string): unknown {
  try {
    return JSON.parse(stdin);
  } catch (error) {
    if (error instanceof SyntaxError) return stdin;
    throw error;
  }
}
