/**
 * `tool`: one tool, or the calls of one turn, run exactly as the agent would run them. JSON on standard input, the observations on
 * standard output.
 */
import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";
import { z } from "zod";
import { UserError } from "../failure.ts";
import type { ToolCall } from "../journal.ts";
import { dispatchCalls, type CallResult } from "../tools/dispatch.ts";
import { findBrowser } from "../tools/find-browser.ts";
import { openToolset } from "../tools/toolset.ts";
import { openSession, untilInterrupted } from "./open-session.ts";

const USAGE = `usage: pullwright tool NAME --workspace DIR [--json] < ARGUMENTS.json
       pullwright tool --workspace DIR [--json] < CALLS.json   (one turn: [{"tool": NAME, "input": ARGUMENTS}, ...])`;

const Turn = z.array(z.object({ tool: z.string(), input: z.unknown() })).min(1);

/** What vendors call two of our tools (in all versions of theirs); their models hear these names, and people know them. */
const VENDOR_NAMES: ReadonlyMap<string, string> = new Map([
  ["str_replace_based_edit_tool", "edit"],
  ["str_replace_editor", "edit"],
  ["bash", "shell"],
]);

export async function tool(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { workspace: { type: "string" }, json: { type: "boolean", default: false } },
    allowPositionals: true,
  });
  const [name] = positionals;
  if (values.workspace === undefined || positionals.length > 1) throw new UserError(USAGE);
  const calls = readCalls(name, await text(process.stdin));
  const interrupted = untilInterrupted();
  await using session = await openSession(values.workspace);
  // apply_patch belongs to one way of editing and edit to the other; a person may try either.
  const editing = calls.some((call) => call.tool === "apply_patch") ? "patch" : "replace";
  // A person's single call knows what it wants; a turn is held to what the agent is held to.
  const mustRead = name === undefined;
  const browser = calls.some((call) => call.tool === "screenshot") ? await findBrowser(session, interrupted) : null;
  const toolset = openToolset({
    ...{ session, editing, goal: "change", mustRead, sees: true, browser },
    ...{ onPlan: () => {}, onReport: () => {} },
  });
  const observations = await dispatchCalls(toolset, calls, {
    signal: interrupted,
    now: Date.now,
    onResult: (result) => console.log(values.json ? renderJson(result) : renderText(result, calls.length)),
  });
  const isGood = observations.every(({ isError }) => !isError);
  return isGood ? 0 : 1;
}

function readCalls(name: string | undefined, stdin: string): readonly ToolCall[] {
  const calls = name === undefined ? readTurn(stdin) : [{ tool: name, input: readInput(stdin) }];
  return calls.map(({ tool, input }, i) => ({ id: `call-${i + 1}`, tool: VENDOR_NAMES.get(tool) ?? tool, input }));
}

function readTurn(stdin: string): z.infer<typeof Turn> {
  const turn = Turn.safeParse(readInput(stdin));
  if (turn.success) return turn.data;
  throw new UserError(`standard input is no list of calls\n${USAGE}`);
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

function renderText({ call, observation }: CallResult, count: number): string {
  // A terminal has no place for a picture: its words tell what it is, and --json has the bytes.
  if (count === 1) return observation.text;
  return `== ${call.id} ${call.tool}${observation.isError ? " (refused)" : ""}\n${observation.text}\n`;
}

function renderJson({ call, observation, wallMs, command, edits }: CallResult): string {
  const { text, isError, images } = observation;
  return JSON.stringify({ tool: call.tool, isError, text, images, wallMs, command, edits });
}
