/** The Messages API's request as the SDK's types give it. Strict: an unknown field is refused, as the vendor does. */
import { z } from "zod";

const cache = z
  .strictObject({ type: z.literal("ephemeral"), ttl: z.enum(["5m", "1h"]).optional() })
  .nullable()
  .optional();
const id = z.string().regex(/^[a-zA-Z0-9_-]+$/, "String should match pattern '^[a-zA-Z0-9_-]+$'");
const loose = z.unknown().optional();
const caller = z.looseObject({ type: z.string() }).optional();

const text = z.strictObject({ type: z.literal("text"), text: z.string(), cache_control: cache, citations: loose });
const image = z.strictObject({
  type: z.literal("image"),
  source: z.discriminatedUnion("type", [
    z.strictObject({
      type: z.literal("base64"),
      media_type: z.enum(["image/jpeg", "image/png", "image/gif", "image/webp"]),
      data: z.string(),
    }),
    z.strictObject({ type: z.literal("url"), url: z.string() }),
    z.strictObject({ type: z.literal("file"), file_id: z.string() }),
  ]),
  cache_control: cache,
  transformations: loose,
});
const document = z.looseObject({ type: z.literal("document"), source: z.looseObject({}), cache_control: cache });
const searchResult = z.looseObject({ type: z.literal("search_result"), cache_control: cache });
const toolResult = z.strictObject({
  type: z.literal("tool_result"),
  tool_use_id: id,
  content: z
    .union([z.string(), z.array(z.discriminatedUnion("type", [text, image, document, searchResult]))])
    .optional(),
  is_error: z.boolean().optional(),
  cache_control: cache,
  toolset_name: z.string().nullable().optional(),
});
const thinking = z.strictObject({ type: z.literal("thinking"), thinking: z.string(), signature: z.string() });
const redactedThinking = z.strictObject({ type: z.literal("redacted_thinking"), data: z.string() });
const toolUse = z.strictObject({
  type: z.literal("tool_use"),
  id,
  name: z.string().min(1).max(200),
  input: z.record(z.string(), z.unknown(), "Input should be a valid dictionary"),
  cache_control: cache,
  caller,
  toolset_name: z.string().nullable().optional(),
});

const userBlock = z.discriminatedUnion("type", [text, image, document, searchResult, toolResult]);
const modelBlock = z.discriminatedUnion("type", [text, thinking, redactedThinking, toolUse]);

const message = z.discriminatedUnion("role", [
  z.strictObject({ role: z.literal("user"), content: z.union([z.string(), z.array(userBlock)]) }),
  z.strictObject({ role: z.literal("assistant"), content: z.union([z.string(), z.array(modelBlock)]) }),
  z.strictObject({ role: z.literal("system"), content: z.union([z.string(), z.array(text)]) }),
]);

const native = {
  cache_control: cache,
  defer_loading: z.boolean().optional(),
  strict: z.boolean().optional(),
  allowed_callers: loose,
  input_examples: loose,
};
const customTool = z.strictObject({
  ...native,
  type: z.literal("custom").nullable().optional(),
  name: z.string().regex(/^[a-zA-Z0-9_-]{1,128}$/, "String should match pattern '^[a-zA-Z0-9_-]{1,128}$'"),
  description: z.string().optional(),
  input_schema: z.looseObject({
    type: z.literal("object"),
    properties: z.record(z.string(), z.unknown()).nullable().optional(),
    required: z.array(z.string()).nullable().optional(),
  }),
  eager_input_streaming: z.boolean().nullable().optional(),
});
const tool = z.discriminatedUnion("type", [
  customTool,
  z.strictObject({ ...native, type: z.literal("bash_20250124"), name: z.literal("bash") }),
  z.strictObject({ ...native, type: z.literal("text_editor_20250124"), name: z.literal("str_replace_editor") }),
  z.strictObject({
    ...native,
    type: z.literal("text_editor_20250429"),
    name: z.literal("str_replace_based_edit_tool"),
  }),
  z.strictObject({
    ...native,
    type: z.literal("text_editor_20250728"),
    name: z.literal("str_replace_based_edit_tool"),
    max_characters: z.int().positive().nullable().optional(),
  }),
  z.strictObject({ ...native, type: z.literal("memory_20250818"), name: z.literal("memory") }),
]);
const parallel = { disable_parallel_tool_use: z.boolean().optional() };

const countTokens = z.strictObject({
  model: z.string().min(1),
  messages: z.array(message).min(1, "at least one message is required"),
  cache_control: cache,
  output_config: z
    .strictObject({ effort: z.enum(["low", "medium", "high", "xhigh", "max"]).nullable().optional(), format: loose })
    .optional(),
  speed: z.enum(["standard", "fast"]).nullable().optional(),
  system: z.union([z.string(), z.array(text)]).optional(),
  thinking: z
    .discriminatedUnion("type", [
      z.strictObject({ type: z.literal("adaptive"), display: z.enum(["summarized", "omitted"]).nullable().optional() }),
      z.strictObject({
        type: z.literal("enabled"),
        budget_tokens: z.int().min(1024, "Input should be greater than or equal to 1024"),
        display: z.enum(["summarized", "omitted"]).nullable().optional(),
      }),
      z.strictObject({ type: z.literal("disabled") }),
      z.strictObject({ type: z.literal("between_tools") }),
    ])
    .optional(),
  tool_choice: z
    .discriminatedUnion("type", [
      z.strictObject({ type: z.literal("auto"), ...parallel }),
      z.strictObject({ type: z.literal("any"), ...parallel }),
      z.strictObject({ type: z.literal("tool"), name: z.string(), ...parallel }),
      z.strictObject({ type: z.literal("none") }),
    ])
    .optional(),
  tools: z.array(tool).optional(),
  user_profile_id: z.string().optional(),
  workspace_id: z.string().optional(),
});

const create = countTokens.extend({
  max_tokens: z.int().min(1, "Input should be greater than or equal to 1"),
  container: loose,
  diagnostics: z.strictObject({ previous_message_id: z.string().nullable().optional() }).nullable().optional(),
  inference_geo: z.string().nullable().optional(),
  metadata: z.strictObject({ user_id: z.string().nullable().optional() }).optional(),
  service_tier: z.enum(["auto", "standard_only"]).optional(),
  stop_sequences: z.array(z.string()).optional(),
  stream: z.boolean().optional(),
  // Gone from the SDK's types, still taken by the wire.
  temperature: z.number().min(0, "range: 0..1").max(1, "range: 0..1").optional(),
  top_p: z.number().min(0, "range: 0..1").max(1, "range: 0..1").optional(),
  top_k: z.int().nonnegative().optional(),
});

export const anthropicRequest = { create, countTokens };

export type AnthropicRequest = z.output<typeof countTokens> &
  Partial<Pick<z.output<typeof create>, "stream" | "max_tokens">>;
export type AnthropicMessage = z.output<typeof message>;
export type AnthropicBlock = z.output<typeof userBlock> | z.output<typeof modelBlock>;
