/** The next turn of the scripted session as a call of whichever shell tool the harness declares. */
import { commandOf, REPORT, wordsOf } from "./script.ts";
import type { Prompt, Tool } from "./prompt.ts";

export type Said = {
  readonly text: string;
  readonly call: { readonly name: string; readonly input: Readonly<Record<string, unknown>> } | null;
  /** A request that could not have been part of the session: a title, a summary, a check. */
  readonly isSide: boolean;
};

const SHELLS = ["bash", "Bash", "shell", "shell_command", "exec_command"];

export function nextWords(prompt: Prompt, turns: number): Said {
  const shell = prompt.tools.find(({ name }) => SHELLS.includes(name));
  if (!shell) return { text: "Notes on modules", call: null, isSide: true };
  const turn = prompt.calls;
  if (turn < turns) {
    return { text: wordsOf(turn), call: { name: shell.name, input: shellInput(shell, turn) }, isSide: false };
  }
  const report = prompt.tools.find(({ name, properties }) => name === "report" && "summary" in properties);
  const call = report ? { name: report.name, input: filled(report, REPORT) } : null;
  return { text: "Every module was read.", call, isSide: false };
}

function shellInput(shell: Tool, turn: number): Record<string, unknown> {
  const command = commandOf(turn);
  const key = "cmd" in shell.properties ? "cmd" : "command";
  const declared = JSON.stringify(shell.properties[key] ?? {});
  const value = declared.includes('"array"') ? ["bash", "-c", command] : command;
  const described = shell.required.includes("description") ? { description: `Reads module ${turn}` } : {};
  return filled(shell, { [key]: value, ...described });
}

/** A strict tool's model sends every property it must. */
function filled(tool: Tool, input: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const absent = tool.required.filter((key) => !(key in input)).map((key) => [key, null] as const);
  return { ...input, ...Object.fromEntries(absent) };
}
