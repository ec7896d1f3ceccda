/**
 * OpenAI's own shell tool, run by us. One of its calls may hold several commands; the transcript has a call for each, so that each has
 * its own observation whichever model reads it, and what came of them goes back as one output. Sources: SDK 7.55's types;
 * developers.openai.com/api/docs/guides/tools-shell, read 2026-11-21.
 */
import { constants } from "node:os";
import type {
  ResponseFunctionShellCallOutputContent as ShellOutput,
  ResponseInputItem,
} from "openai/resources/responses/responses";
import { z } from "zod";
import type { Observation, ToolCall } from "../journal.ts";
import { safeWord } from "./wire.ts";

export const SHELL_TOOL = { type: "shell", environment: { type: "local" } } as const;

export type ShellCall = ResponseInputItem.ShellCall;

/** The most our own tool reads; what it grants is less. */
const TIMEOUT_SECONDS_MAX = 3600;

const Action = z.object({
  commands: z.array(z.string()),
  timeout_ms: z.number().nullish(),
  max_output_length: z.number().nullish(),
});

/** Ours, when it says nothing that an action could not. */
const OwnInput = z.strictObject({
  command: z.string().refine((command) => command.trim() !== ""),
  timeout_seconds: z.number().positive().optional(),
});

type OneCommand = Pick<ToolCall, "id" | "input">;

/** Null for an action that is none. A call without a command is one that our tool refuses: it, too, must be answered. */
export function readShellCalls(callId: string, action: unknown): readonly OneCommand[] | null {
  const parsed = Action.safeParse(action).data;
  if (!parsed) return null;
  const { commands, timeout_ms: ms } = parsed;
  const timeout = ms && ms > 0 ? { timeout_seconds: Math.min(Math.ceil(ms / 1000), TIMEOUT_SECONDS_MAX) } : {};
  const inputs = commands.length === 0 ? [{ command: "" }] : commands.map((command) => ({ command, ...timeout }));
  return inputs.map((input, index) => ({ id: commandId(callId, index, inputs.length), input }));
}

/** The number goes in front, because long ids lose their end on the way to a vendor. */
function commandId(callId: string, index: number, count: number): string {
  return count === 1 ? callId : `${index + 1}-${callId}`;
}

/** As observations name them. */
export function shellCallIds({ call_id, action }: ShellCall): readonly string[] {
  return (readShellCalls(call_id, action) ?? []).map(({ id }) => safeWord(id));
}

/** The vendor cuts the output to the length that its model wished for, and wants to be told the wish again. */
export function toShellOutput(call: ShellCall, observations: readonly Observation[]): ResponseInputItem {
  const { call_id, action } = call;
  const length = action.max_output_length ?? null;
  return {
    ...({ type: "shell_call_output", call_id, output: observations.map(toOutput) } as const),
    ...(length === null ? {} : { max_output_length: length }),
  };
}

/** Another model's call as the vendor's own; null where that could not tell what was asked or how it ended. */
export function toShellCall({ id, input }: ToolCall, observation: Observation | undefined): ShellCall | null {
  const own = OwnInput.safeParse(input).data;
  if (!own || !observation || !readEnd(observation.text)) return null;
  const { command, timeout_seconds: seconds } = own;
  const timeout = seconds === undefined ? {} : { timeout_ms: Math.ceil(seconds * 1000) };
  return { type: "shell_call", call_id: safeWord(id), action: { commands: [command], ...timeout } };
}

/** A call that never came to run, or that was a patch which we applied, has no exit status to tell. */
function toOutput({ text, isError }: Observation): ShellOutput {
  if (isError) return { stdout: "", stderr: text, outcome: exit(1) };
  return readEnd(text) ?? { stdout: text, stderr: "", outcome: exit(0) };
}

const exit = (exit_code: number) => ({ type: "exit", exit_code }) as const;

/** As a shell tells the end of a program by a signal. */
const SIGNALED = 128;
const KILLED = SIGNALED + constants.signals.SIGKILL;
const SIGNALS: ReadonlyMap<string, number> = new Map(Object.entries(constants.signals));

/**
 * How a command ended, as tools/shell.ts begins an observation, which holds both streams in the order they were written. An exit status
 * is not said twice; of other ends the words stay.
 */
function readEnd(text: string): ShellOutput | null {
  const [head, status, time] = /^Exit status (\d+)(?: (\(.*\)))?(?:\n|$)/.exec(text) ?? [];
  if (head !== undefined) {
    const stdout = `${time === undefined ? "" : `${time}\n`}${text.slice(head.length)}`;
    return { stdout, stderr: "", outcome: exit(Number(status)) };
  }
  if (text.startsWith("Stopped at its time limit")) return { stdout: text, stderr: "", outcome: { type: "timeout" } };
  if (/^Stopped (after|for) /.test(text)) return { stdout: text, stderr: "", outcome: exit(KILLED) };
  const [, signal] = /^Ended by (SIG\w+)/.exec(text) ?? [];
  if (signal === undefined) return null;
  return { stdout: text, stderr: "", outcome: exit(SIGNALED + (SIGNALS.get(signal) ?? 0)) };
}
