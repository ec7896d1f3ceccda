/** The Responses API's request as the SDK's types give it. Strict: an unknown parameter is refused, as the vendor does. */
import { z } from "zod";

const loose = z.unknown().optional();
const flag = z.boolean().nullable().optional();
const itemStatus = z.enum(["in_progress", "completed", "incomplete"]).nullable().optional();
/** Vendors' ids do not mix: an item id must carry its kind's prefix. */
const itemId = (prefix: string) =>
  z
    .string()
    .max(64, "string too long. Expected a string with maximum length 64.")
    .refine((id) => id.startsWith(prefix), `Expected an ID that begins with '${prefix}'.`)
    .nullable()
    .optional();
const callId = z.string().min(1).max(64, "string too long. Expected a string with maximum length 64.");
const toolName = z
  .string()
  .regex(/^[a-zA-Z0-9_-]{1,64}$/, "string does not match pattern. Expected '^[a-zA-Z0-9_-]+$'.");
const call = { call_id: callId, caller: loose };

const inputText = z.strictObject({ type: z.literal("input_text"), text: z.string(), prompt_cache_breakpoint: loose });
const inputImage = z.strictObject({
  type: z.literal("input_image"),
  detail: z.enum(["low", "high", "auto", "original"]).nullable().optional(),
  image_url: z.string().nullable().optional(),
  file_id: z.string().nullable().optional(),
  prompt_cache_breakpoint: loose,
});
const inputFile = z.looseObject({ type: z.literal("input_file") });
const heard = z.discriminatedUnion("type", [inputText, inputImage, inputFile]);
const outputText = z.strictObject({
  type: z.literal("output_text"),
  text: z.string(),
  annotations: loose,
  logprobs: loose,
});
const refusal = z.strictObject({ type: z.literal("refusal"), refusal: z.string() });
const output = z.union([z.string(), z.array(heard)]);

const message = { type: z.literal("message").optional(), status: itemStatus, id: itemId("msg") };
const phase = z.enum(["commentary", "final_answer"]).nullable().optional();
const heardMessage = z.strictObject({
  ...message,
  role: z.enum(["user", "system", "developer"]),
  content: z.union([z.string(), z.array(heard)]),
  phase,
});
const saidMessage = z.strictObject({
  ...message,
  role: z.literal("assistant"),
  content: z.union([z.string(), z.array(z.discriminatedUnion("type", [outputText, refusal]))]),
  phase,
});
export const messageItem = z.discriminatedUnion("role", [heardMessage, saidMessage]);

const operation = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("create_file"), path: z.string(), diff: z.string() }),
  z.strictObject({ type: z.literal("update_file"), path: z.string(), diff: z.string() }),
  z.strictObject({ type: z.literal("delete_file"), path: z.string() }),
]);

const wish = z.int().nullish();
/** The hosted ones are not played here. */
const local = z.strictObject({ type: z.literal("local"), skills: loose }).nullish();
const outcome = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("exit"), exit_code: z.int() }),
  z.strictObject({ type: z.literal("timeout") }),
]);

export const otherItem = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("reasoning"),
    id: itemId("rs"),
    summary: z.array(z.strictObject({ type: z.literal("summary_text"), text: z.string() })),
    content: z
      .array(z.strictObject({ type: z.literal("reasoning_text"), text: z.string() }))
      .nullable()
      .optional(),
    encrypted_content: z.string().nullable().optional(),
    status: itemStatus,
  }),
  z.strictObject({
    ...call,
    type: z.literal("function_call"),
    id: itemId("fc"),
    name: toolName,
    arguments: z.string(),
    status: itemStatus,
    async: flag,
    namespace: z.string().optional(),
  }),
  z.strictObject({
    ...call,
    type: z.literal("function_call_output"),
    id: itemId("fc"),
    output,
    status: itemStatus,
    name: z.string().nullable().optional(),
    namespace: z.string().nullable().optional(),
  }),
  z.strictObject({
    ...call,
    type: z.literal("custom_tool_call"),
    id: itemId("ctc"),
    name: toolName,
    input: z.string(),
    async: flag,
    namespace: z.string().optional(),
    // Not in the SDK's type, yet the wire sends it and takes it back.
    status: itemStatus,
  }),
  z.strictObject({ ...call, type: z.literal("custom_tool_call_output"), id: itemId("ctc"), output }),
  z.strictObject({
    ...call,
    type: z.literal("apply_patch_call"),
    id: itemId("apc"),
    operation,
    status: z.enum(["in_progress", "completed"]),
  }),
  z.strictObject({
    ...call,
    type: z.literal("apply_patch_call_output"),
    id: itemId("apc"),
    output: z.string().nullable().optional(),
    status: z.enum(["completed", "failed"]),
  }),
  z.strictObject({
    ...call,
    type: z.literal("shell_call"),
    id: itemId("sh"),
    action: z.strictObject({ commands: z.array(z.string()), timeout_ms: wish, max_output_length: wish }),
    environment: local,
    status: itemStatus,
  }),
  z.strictObject({
    ...call,
    type: z.literal("shell_call_output"),
    id: itemId("sho"),
    output: z.array(z.strictObject({ stdout: z.string(), stderr: z.string(), outcome })),
    max_output_length: wish,
    status: itemStatus,
  }),
]);

const functionTool = z.strictObject({
  type: z.literal("function"),
  name: toolName,
  description: z.string().nullable().optional(),
  parameters: z.record(z.string(), z.unknown()).nullable(),
  strict: z.boolean().nullable(),
  async: flag,
  defer_loading: z.boolean().optional(),
  allowed_callers: loose,
  output_schema: loose,
});
const customTool = z.strictObject({
  type: z.literal("custom"),
  name: toolName,
  description: z.string().optional(),
  format: z
    .discriminatedUnion("type", [
      z.strictObject({ type: z.literal("text") }),
      z.strictObject({
        type: z.literal("grammar"),
        syntax: z.enum(["lark", "regex"]),
        definition: z.string().min(1),
      }),
    ])
    .optional(),
  async: flag,
  defer_loading: z.boolean().optional(),
  allowed_callers: loose,
});
const tool = z.discriminatedUnion("type", [
  functionTool,
  customTool,
  z.strictObject({ type: z.literal("apply_patch"), allowed_callers: loose }),
  z.strictObject({ type: z.literal("shell"), environment: local, allowed_callers: loose }),
]);

export const openaiRequest = z.strictObject({
  model: z.string().min(1),
  input: z.union([z.string(), z.array(z.looseObject({ type: z.string().optional() }))]),
  instructions: z.string().nullable().optional(),
  tools: z.array(tool).optional(),
  tool_choice: loose,
  parallel_tool_calls: flag,
  include: z
    .array(
      z.enum([
        "reasoning.encrypted_content",
        "file_search_call.results",
        "message.input_image.image_url",
        "message.output_text.logprobs",
        "code_interpreter_call.outputs",
      ]),
    )
    .nullable()
    .optional(),
  max_output_tokens: z.int().min(16, "integer below minimum value. Expected a value >= 16.").nullable().optional(),
  max_tool_calls: z.int().nullable().optional(),
  metadata: z.record(z.string(), z.string()).nullable().optional(),
  previous_response_id: z.string().nullable().optional(),
  prompt_cache_key: z
    .string()
    .max(64, "string too long. Expected a string with maximum length 64.")
    .nullable()
    .optional(),
  reasoning: z
    .strictObject({
      effort: z.enum(["none", "minimal", "low", "medium", "high", "xhigh", "max"]).nullable().optional(),
      summary: z.enum(["auto", "concise", "detailed"]).nullable().optional(),
      generate_summary: loose,
      context: z.enum(["auto", "current_turn", "all_turns"]).nullable().optional(),
      mode: loose,
    })
    .nullable()
    .optional(),
  store: flag,
  stream: flag,
  temperature: z
    .number()
    .min(0, "decimal below minimum value")
    .max(2, "decimal above maximum value")
    .nullable()
    .optional(),
  top_p: z.number().min(0, "decimal below minimum value").max(1, "decimal above maximum value").nullable().optional(),
  // Known, and of no consequence here.
  access_programs: loose,
  background: loose,
  context_management: loose,
  conversation: loose,
  image: loose,
  moderation: loose,
  prompt: loose,
  prompt_cache_options: loose,
  prompt_cache_retention: loose,
  safety_identifier: loose,
  service_tier: loose,
  stream_options: loose,
  text: loose,
  top_logprobs: loose,
  truncation: loose,
  user: loose,
});

export type OpenaiRequest = z.output<typeof openaiRequest>;
export type OpenaiItem = z.output<typeof messageItem> | z.output<typeof otherItem>;
export type OpenaiTool = z.output<typeof tool>;
