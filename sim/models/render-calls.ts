/** A script's neutral verbs as calls of the tools this request declares. Never invents a tool, except where the script names one. */
import { scriptRefusal } from "./refusal.ts";
import type { Action } from "./script.ts";

/** What a request declares: a plain function, free-form text, or one of the tools the vendor's models know by training. */
export type DeclaredTool = {
  readonly name: string;
  readonly kind: "function" | "free-form" | "bash" | "editor" | "patch" | "shell";
  /** Names every property of a strict function, all of which its model always sends. Empty otherwise. */
  readonly required: readonly string[];
  readonly properties: readonly string[];
};

type Operation =
  | { readonly type: "update_file"; readonly path: string; readonly diff: string }
  | { readonly type: "create_file"; readonly path: string; readonly diff: string };

export type Call =
  | { readonly kind: "function"; readonly name: string; readonly input: Readonly<Record<string, unknown>> }
  | { readonly kind: "free-form"; readonly name: string; readonly input: string }
  | { readonly kind: "patch"; readonly operation: Operation }
  | { readonly kind: "shell"; readonly commands: Commands };

type Commands = {
  readonly commands: readonly string[];
  readonly timeoutMs?: number | undefined;
  readonly outputLengthMax?: number | undefined;
};

/** Several commands are one call of a tool that takes several, and else a call each. */
export function renderCalls(action: Action, tools: readonly DeclaredTool[]): readonly Call[] {
  switch (action.do) {
    case "shell":
      return [renderShell(action.command, tools)];
    case "commands":
      if (find(tools, "shell")) return [{ kind: "shell", commands: action }];
      return action.commands.map((command) => renderShell(command, tools));
    case "view":
      return [renderView(action.path, tools)];
    case "edit":
    case "create":
      return [renderEdit(action, tools)];
    case "call":
      return [renderVerbatim(action, tools)];
  }
}

function renderShell(command: string, tools: readonly DeclaredTool[]): Call {
  if (find(tools, "shell")) return { kind: "shell", commands: { commands: [command] } };
  const tool = find(tools, "bash") ?? find(tools, "function", "shell");
  if (!tool) throw scriptRefusal(`"shell" needs a bash tool or a function named "shell"`);
  return call(tool, { command });
}

function renderView(path: string, tools: readonly DeclaredTool[]): Call {
  const editor = find(tools, "editor") ?? find(tools, "function", "edit");
  if (editor) return call(editor, { command: "view", path });
  return renderShell(`cat -n '${path.replaceAll("'", `'\\''`)}'`, tools);
}

type Edit = Extract<Action, { do: "edit" | "create" }>;

function renderEdit(edit: Edit, tools: readonly DeclaredTool[]): Call {
  const freeForm = find(tools, "free-form", "apply_patch");
  if (freeForm) return { kind: "free-form", name: freeForm.name, input: patchOf(edit) };

  if (find(tools, "patch")) {
    const type = edit.do === "edit" ? "update_file" : "create_file";
    return { kind: "patch", operation: { type, path: edit.path, diff: diffOf(edit) } };
  }
  const editor = find(tools, "editor") ?? find(tools, "function", "edit");
  if (editor) return call(editor, replacementOf(edit));

  // A vendor without free-form tools gets the patch in the function's only property.
  const patch = find(tools, "function", "apply_patch");
  if (patch) return call(patch, { [patch.properties[0] ?? "patch"]: patchOf(edit) });
  throw scriptRefusal(`"${edit.do}" needs a text editor, a function named "edit", or "apply_patch"`);
}

function renderVerbatim(action: Extract<Action, { do: "call" }>, tools: readonly DeclaredTool[]): Call {
  const { tool: name, input } = action;
  const declared = tools.find((tool) => tool.name === name);
  const isText = typeof input === "string";
  if (declared && (declared.kind === "free-form") !== isText) {
    throw scriptRefusal(`the tool "${name}" takes ${isText ? "an object" : "a string"}, the script gives the other`);
  }
  return typeof input === "string" ? { kind: "free-form", name, input } : { kind: "function", name, input };
}

function patchOf(edit: Edit): string {
  const header = edit.do === "edit" ? "Update" : "Add";
  return `*** Begin Patch\n*** ${header} File: ${edit.path}\n${diffOf(edit)}\n*** End Patch\n`;
}

function diffOf(edit: Edit): string {
  if (edit.do === "create") return mark("+", edit.text).join("\n");
  return ["@@", ...mark("-", edit.old), ...mark("+", edit.new)].join("\n");
}

function mark(sign: "+" | "-", block: string): readonly string[] {
  if (block === "") return [];
  return block
    .replace(/\n$/, "")
    .split("\n")
    .map((line) => sign + line);
}

function replacementOf(edit: Edit): Record<string, unknown> {
  const { path } = edit;
  if (edit.do === "create") return { command: "create", path, file_text: edit.text };
  // Removing lines takes their line end along; as a patch it does too.
  const old = edit.new === "" && !edit.old.endsWith("\n") ? `${edit.old}\n` : edit.old;
  return { command: "str_replace", path, old_str: old, new_str: edit.new };
}

function call(tool: DeclaredTool, input: Record<string, unknown>): Call {
  const absent = tool.required.filter((key) => !(key in input)).map((key) => [key, null] as const);
  return { kind: "function", name: tool.name, input: { ...input, ...Object.fromEntries(absent) } };
}

const find = (tools: readonly DeclaredTool[], kind: DeclaredTool["kind"], name?: string): DeclaredTool | undefined =>
  tools.find((tool) => tool.kind === kind && (name === undefined || tool.name === name));
