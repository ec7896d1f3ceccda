/** Makes a Tool from typed parts: one schema is both what the model is told and what its arguments must pass. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import type { ToolSpec } from "../model/model.ts";
import type { Tool, ToolResult } from "./tool.ts";

type Parts<T> = {
  readonly name: string;
  /** The description's file; NAME.md beside this one when left out. */
  readonly describedIn?: URL;
  readonly native?: ToolSpec["native"];
  readonly effect: Tool["effect"];
  /** What arguments must pass. Passing twice changes nothing: no transforms. */
  readonly input: z.ZodType<T>;
  /** What the model is told, where that is simpler than what we take. */
  readonly told?: z.ZodType;
  readonly run: (input: T, signal: AbortSignal) => Promise<ToolResult>;
};

export function defineTool<T>(parts: Parts<T>): Tool {
  const { name, native = null, effect, input, told, run } = parts;
  const { describedIn = new URL(`${name}.md`, import.meta.url) } = parts;
  const { $schema: _, ...parameters } = z.toJSONSchema(told ?? input, { io: "input", override: dropBounds });
  const description = readFileSync(describedIn, "utf8").trim();
  return {
    spec: { name, description, parameters, native },
    effect,
    input,
    run: (value, signal) => run(input.parse(value), signal),
  };
}

const BOUNDS = [
  "minimum",
  "maximum",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "minLength",
  "maxLength",
  "minItems",
  "maxItems",
];

/** They cost a tenth of all the tools' tokens in each request. Whoever goes past one is told so, and why. */
function dropBounds({ jsonSchema }: { readonly jsonSchema: object }): void {
  for (const bound of BOUNDS) Reflect.deleteProperty(jsonSchema, bound);
}
