/** Which files an agent has read and changed, taken from its calls: a summary forgets names, the calls do not. Pure. */
import { z } from "zod";
import type { Message } from "../model/model.ts";

export type FilesTouched = { readonly read: readonly string[]; readonly changed: readonly string[] };

/** More names than that say nothing; the newest are kept. */
const FILES_MAX = 100;
const EDITORS: ReadonlySet<string> = new Set(["edit", "apply_patch", "notebook"]);
const READ_LINE = "Files read: ";
const CHANGED_LINE = "Files changed: ";

const Input = z.object({
  path: z.string().optional().catch(undefined),
  paths: z.array(z.string()).optional().catch(undefined),
  files: z
    .array(z.string().or(z.object({ path: z.string() })))
    .optional()
    .catch(undefined),
  command: z.string().optional().catch(undefined),
});

export function filesTouched(messages: readonly Message[]): FilesTouched {
  const read = new Set<string>();
  const changed = new Set<string>();
  for (const message of messages) {
    if (message.kind === "user") {
      for (const path of listed(message.text, READ_LINE)) read.add(path);
      for (const path of listed(message.text, CHANGED_LINE)) changed.add(path);
    }
    if (message.kind !== "model") continue;
    for (const part of message.parts) {
      if (part.kind !== "call") continue;
      const { tool, input } = part.call;
      const isView = z.object({ command: z.literal("view") }).safeParse(input).success;
      const into = EDITORS.has(tool) && !isView ? changed : read;
      for (const path of paths(input)) into.add(path);
    }
  }
  return {
    read: [...read].filter((path) => !changed.has(path)).slice(-FILES_MAX),
    changed: [...changed].slice(-FILES_MAX),
  };
}

/** Two lines that `filesTouched` reads back from an earlier summary; "" when there is nothing to say. */
export function renderFiles({ read, changed }: FilesTouched): string {
  const lines = [
    ...(changed.length > 0 ? [`${CHANGED_LINE}${changed.join(", ")}`] : []),
    ...(read.length > 0 ? [`${READ_LINE}${read.join(", ")}`] : []),
  ];
  return lines.join("\n");
}

function listed(text: string, head: string): readonly string[] {
  const line = text.split("\n").find((one) => one.startsWith(head));
  return line === undefined ? [] : line.slice(head.length).split(", ");
}

function paths(input: unknown): readonly string[] {
  if (typeof input === "string") return patchPaths(input);
  const parsed = Input.safeParse(input);
  if (!parsed.success) return [];
  const { path, paths: many = [], files = [] } = parsed.data;
  const named = files.map((file) => (typeof file === "string" ? file : file.path));
  return [...(path === undefined ? [] : [path]), ...many, ...named, ...patchFields(input)];
}

/** A patch that came as a field of a JSON call. */
function patchFields(input: unknown): readonly string[] {
  const fields = z.record(z.string(), z.unknown()).safeParse(input);
  if (!fields.success) return [];
  return Object.values(fields.data).flatMap((value) => (typeof value === "string" ? patchPaths(value) : []));
}

function patchPaths(text: string): readonly string[] {
  const headers = text.matchAll(/^\*\*\* (?:Add File|Update File|Delete File|Move to): (.+)$/gm);
  return [...headers].map(([, path = ""]) => path.trim());
}
