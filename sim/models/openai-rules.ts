/** What the Responses API refuses beyond the shape of a request. The words are the vendor's, so that adapters can be held to them. */
import { messageItem, otherItem, type OpenaiItem, type OpenaiRequest, type OpenaiTool } from "./openai-schema.ts";
import { openImage, readDataUrl } from "./images.ts";
import { firstWrong, Refusal, type Wrong } from "./refusal.ts";
import { isSealed } from "./seal.ts";

/** What the vendor's own look like; an id is bound in. */
export const ENCRYPTED = "gAAAAABsim";

export const invalid = (message: string, code: string | null, param: string | null): Refusal =>
  new Refusal(400, message, {
    type: "invalid_request_error",
    ...(code === null ? {} : { code }),
    ...(param === null ? {} : { param }),
  });

export function readItems({ input }: OpenaiRequest): readonly OpenaiItem[] {
  if (typeof input === "string") return [{ role: "user", content: input }];
  return input.map((item, index) => {
    const schema = item.type === undefined || item.type === "message" ? messageItem : otherItem;
    const parsed = schema.safeParse(item);
    if (!parsed.success) throw shapeRefusal(firstWrong(parsed.error), ["input", index]);
    return parsed.data;
  });
}

export function shapeRefusal(wrong: Wrong, above: readonly PropertyKey[] = []): Refusal {
  const path = [...above, ...wrong.path];
  const param = path.reduce<string>(
    (all, key) => (typeof key === "number" ? `${all}[${key}]` : all === "" ? String(key) : `${all}.${String(key)}`),
    "",
  );
  if (wrong.kind === "unknown") return invalid(`Unknown parameter: '${param}'.`, "unknown_parameter", param);
  if (wrong.kind === "missing") {
    return invalid(`Missing required parameter: '${param}'.`, "missing_required_parameter", param);
  }
  return invalid(`Invalid '${param}': ${wrong.message}`, "invalid_value", param);
}

export function checkOpenai(request: OpenaiRequest, items: readonly OpenaiItem[]): void {
  if (request.previous_response_id) {
    const message = `Previous response with id '${request.previous_response_id}' not found.`;
    throw invalid(message, "previous_response_not_found", "previous_response_id");
  }
  const names = (request.tools ?? []).flatMap((tool) => ("name" in tool ? [tool.name] : []));
  if (new Set(names).size < names.length) throw invalid("Tool names must be unique.", "invalid_value", "tools");
  (request.tools ?? []).forEach((tool, index) => checkTool(tool, index, request.model));
  checkPairs(items);
  items.forEach(checkImages);
  items.forEach((item, index) => {
    if (item.type === "reasoning") checkReasoning(item, items[index + 1], request.store ?? true);
  });
}

/** In what users and tools say. */
function checkImages(item: OpenaiItem, index: number): void {
  const [key, parts] =
    "output" in item ? ["output", item.output] : ["content", "content" in item ? item.content : null];
  if (!Array.isArray(parts)) return;
  parts.forEach((part, place) => {
    if (!("type" in part) || part.type !== "input_image" || !part.image_url || /^https?:/.test(part.image_url)) return;
    const param = `input[${index}].${key}[${place}].image_url`;
    const url = readDataUrl(part.image_url);
    if (!url) {
      throw invalid(
        `Invalid '${param}'. Expected a base64-encoded data URL with an image MIME type (e.g. 'data:image/png;base64,aW1nIGJ5dGVzIGhlcmU='), but got an invalid value.`,
        "invalid_value",
        param,
      );
    }
    if (!openImage(url.base64)) {
      throw invalid(
        "The image data you provided does not represent a valid image. Please check your input and try again with one of the supported image formats: ['image/jpeg', 'image/png', 'image/gif', 'image/webp'].",
        "invalid_value",
        param,
      );
    }
  });
}

type Reasoning = Extract<OpenaiItem, { type: "reasoning" }>;

function checkReasoning(item: Reasoning, next: OpenaiItem | undefined, store: boolean): void {
  const id = item.id ?? "";
  const sealed = item.encrypted_content ?? "";
  if (sealed === "" && !store) {
    throw new Refusal(
      404,
      `Item with id '${id}' not found. Items are not persisted when \`store\` is set to false. ` +
        "Try again with `store` set to true, or remove this item from your input.",
      { type: "invalid_request_error", param: "input" },
    );
  }
  // Clients may leave the id out; the seal then still shows one.
  const sealedId = sealed.split(".")[1] ?? "";
  if (sealed !== "" && (!isSealed(sealed, `${ENCRYPTED}.${sealedId}.`, sealedId) || (id !== "" && id !== sealedId))) {
    throw invalid(
      `The encrypted content for item ${id} could not be verified. Reason: Encrypted content could not be decrypted or parsed.`,
      "invalid_encrypted_content",
      null,
    );
  }
  if (!next || !isModelItem(next)) {
    throw invalid(`Item '${id}' of type 'reasoning' was provided without its required following item.`, null, "input");
  }
}

export const isModelItem = (item: OpenaiItem): boolean =>
  item.type === undefined || item.type === "message" ? item.role === "assistant" : !item.type.endsWith("_output");

/** How many replies the model gave: its items side by side are one. */
export const countTurns = (items: readonly OpenaiItem[]): number =>
  items.filter((item, index) => isModelItem(item) && !isModelItemAt(items, index - 1)).length;

const isModelItemAt = (items: readonly OpenaiItem[], index: number): boolean => {
  const item = items[index];
  return item !== undefined && isModelItem(item);
};

const CALL_NAMES = new Map([
  ["function_call", "function call"],
  ["custom_tool_call", "custom tool call"],
  ["apply_patch_call", "apply patch call"],
  ["shell_call", "shell call"],
]);

/** Each call is answered once, by its own kind of output, before the model speaks again. */
function checkPairs(items: readonly OpenaiItem[]): void {
  const calls = new Map<string, { kind: string; answered: boolean }>();
  const refuseOpen = () => {
    for (const [id, { kind, answered }] of calls) {
      if (!answered) throw invalid(`No tool output found for ${CALL_NAMES.get(kind)} ${id}.`, null, "input");
    }
  };
  items.forEach((item, index) => {
    if (isModelItem(item) && !isModelItemAt(items, index - 1)) refuseOpen();
    if (!("call_id" in item)) return;
    const { type, call_id: id } = item;
    const known = calls.get(id);
    if (!type.endsWith("_output")) {
      if (known) throw invalid(`Duplicate call_id '${id}' found in input.`, null, "input");
      calls.set(id, { kind: type, answered: false });
      return;
    }
    const kind = type.slice(0, -"_output".length);
    if (known?.kind !== kind) {
      throw invalid(`No tool call found for ${CALL_NAMES.get(kind)} output with call_id ${id}.`, null, "input");
    }
    if (known.answered) throw invalid(`Duplicate output found for call_id ${id}.`, null, "input");
    calls.set(id, { kind, answered: true });
  });
  refuseOpen();
}

/** That these do not take it is known of the wire. */
const WITHOUT_SHELL = /^gpt-(4|5(-mini)?(-\d{4}|$))/;

function checkTool(tool: OpenaiTool, index: number, model: string): void {
  if (tool.type === "shell" && WITHOUT_SHELL.test(model)) {
    throw invalid(`Tool 'shell' is not supported with ${model}.`, null, "tools");
  }
  if (tool.type !== "function") return;
  const refuse = (why: string): Refusal =>
    invalid(
      `Invalid schema for function '${tool.name}': ${why}`,
      "invalid_function_parameters",
      `tools[${index}].parameters`,
    );
  if (tool.parameters && tool.parameters["type"] !== "object")
    throw refuse(`schema must be a JSON Schema of 'type: "object"'.`);
  if (!tool.strict) return;
  const why = strictWrong(tool.parameters ?? {}, []);
  if (why !== null) throw refuse(why);
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Why a schema cannot be strict: each object in it must be closed and require all it names. */
function strictWrong(schema: unknown, context: readonly string[]): string | null {
  if (!isRecord(schema)) return null;
  const where = `In context=(${context.map((key) => `'${key}'`).join(", ")})`;
  const properties = isRecord(schema["properties"]) ? schema["properties"] : {};
  if (schema["type"] === "object" || "properties" in schema) {
    if (schema["additionalProperties"] !== false) {
      return `${where}, 'additionalProperties' is required to be supplied and to be false.`;
    }
    const required: unknown = schema["required"];
    const missing = Object.keys(properties).find((key) => !Array.isArray(required) || !required.includes(key));
    if (missing !== undefined) {
      return `${where}, 'required' is required to be supplied and to be an array including every key in properties. Missing '${missing}'.`;
    }
  }
  const inner: readonly (readonly [string, unknown])[] = [
    ...Object.entries(properties).map(([key, value]) => [key, value] as const),
    ["items", schema["items"]],
    ...(Array.isArray(schema["anyOf"]) ? schema["anyOf"].map((value) => ["anyOf", value] as const) : []),
  ];
  for (const [key, value] of inner) {
    const why = strictWrong(value, [...context, key]);
    if (why !== null) return why;
  }
  return null;
}
