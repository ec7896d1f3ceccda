/** Whether OpenAI takes a schema as strict: then arguments always fit it. A schema that does not qualify is refused, so when in doubt, no. */
import { z } from "zod";
import type { JsonSchema } from "./model.ts";

/** The keywords strict mode knows and that need no look inside. */
const PLAIN: ReadonlySet<string> = new Set(["type", "description", "enum", "const", "title", "$schema"]);

const Schema = z.record(z.string(), z.unknown());

export function isStrictSchema(schema: JsonSchema): boolean {
  return schema["type"] === "object" && isStrict(schema);
}

function isStrict(value: unknown): boolean {
  const schema = Schema.safeParse(value).data;
  if (!schema) return false;
  if (schema["type"] === "object" && !isClosedObject(schema)) return false;
  return Object.entries(schema).every(([keyword, inner]) => {
    if (keyword === "properties") return Object.values(Schema.parse(inner)).every(isStrict);
    if (keyword === "items") return isStrict(inner);
    if (keyword === "anyOf") return Array.isArray(inner) && inner.every(isStrict);
    return PLAIN.has(keyword) || keyword === "required" || keyword === "additionalProperties";
  });
}

/** Strict mode wants each property required and no others allowed. */
function isClosedObject(schema: z.infer<typeof Schema>): boolean {
  const properties = Schema.safeParse(schema["properties"]).data ?? {};
  const required = new Set(z.array(z.string()).safeParse(schema["required"]).data);
  return schema["additionalProperties"] === false && Object.keys(properties).every((name) => required.has(name));
}
