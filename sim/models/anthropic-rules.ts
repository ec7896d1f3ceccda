/** What the Messages API refuses beyond the shape of a request. The words are the vendor's, so that adapters can be held to them. */
import type { AnthropicBlock, AnthropicMessage, AnthropicRequest } from "./anthropic-schema.ts";
import { openImage } from "./images.ts";
import { Refusal } from "./refusal.ts";
import { isSealed } from "./seal.ts";

export const SIGNATURE = "sim-signature-";
const BREAKPOINTS_MAX = 4;

export const invalid = (message: string): Refusal => new Refusal(400, message, { type: "invalid_request_error" });

export function checkAnthropic(request: AnthropicRequest): void {
  const messages = request.messages.map((message) => ({ role: message.role, blocks: blocksOf(message) }));
  if (messages.find(({ role }) => role !== "system")?.role !== "user") {
    throw invalid(`messages: first message must use the "user" role`);
  }
  messages.forEach(({ role, blocks }, index) => {
    if (blocks.length === 0) throw invalid(`messages.${index}: ${role} messages must have non-empty content`);
    blocks.forEach((block, place) => checkBlock(block, `messages.${index}.content.${place}`, request.model));
  });
  if (Array.isArray(request.system)) request.system.forEach((block, index) => checkBlock(block, `system.${index}`, ""));
  checkPairing(mergeNeighbours(messages));
  checkImages(request);
  checkTools(request);
  checkBreakpoints(request);
  if (request.thinking?.type === "enabled" && request.thinking.budget_tokens >= (request.max_tokens ?? Infinity)) {
    throw invalid("`max_tokens` must be greater than `thinking.budget_tokens`");
  }
}

export const blocksOf = ({ content }: AnthropicMessage): readonly AnthropicBlock[] =>
  typeof content === "string" ? (content === "" ? [] : [{ type: "text", text: content }]) : content;

function checkBlock(block: AnthropicBlock, path: string, model: string): void {
  switch (block.type) {
    case "text":
      if (block.text === "") throw invalid("messages: text content blocks must be non-empty");
      if (block.text.trim() === "") throw invalid("messages: text content blocks must contain non-whitespace text");
      return;
    case "thinking":
      // Bound to the model, as the vendor's are.
      if (!isSealed(block.signature, SIGNATURE, model, block.thinking)) {
        throw invalid(`${path}: Invalid \`signature\` in \`thinking\` block`);
      }
      return;
    case "redacted_thinking":
      throw invalid(`${path}: Invalid \`data\` in \`redacted_thinking\` block`); // None is ever issued here.
    case "tool_result":
      if (Array.isArray(block.content)) {
        block.content.forEach((inner, index) => checkBlock(inner, `${path}.content.${index}`, model));
      }
      if (block.is_error && Array.isArray(block.content) && block.content.some(({ type }) => type !== "text")) {
        throw invalid(`${path}.tool_result: all content must be type \`text\` if \`is_error\` is true`);
      }
      if (block.is_error && (block.content ?? "").length === 0) {
        throw invalid(`${path}.tool_result: content cannot be empty if \`is_error\` is true`);
      }
  }
}

/** Of base64, as the vendor counts. */
const IMAGE_BYTES_MAX = 5 * 1024 * 1024;
const EDGE_MAX = 8_000;
const MANY_IMAGES = 20;
const EDGE_MAX_OF_MANY = 2_000;

function checkImages({ messages }: AnthropicRequest): void {
  const found = messages.flatMap((message, index) =>
    blocksOf(message).flatMap((block, place) => {
      const path = `messages.${index}.content.${place}`;
      const inner = block.type === "tool_result" && Array.isArray(block.content) ? block.content : [block];
      return inner.flatMap((one) => (one.type === "image" ? [{ source: one.source, path }] : []));
    }),
  );
  for (const { source, path } of found) {
    if (source.type !== "base64") continue;
    const at = `${path}.image.source.base64`;
    const bytes = source.data.length;
    if (bytes > IMAGE_BYTES_MAX) {
      throw invalid(`${at}: image exceeds 5 MB maximum: ${bytes} bytes > ${IMAGE_BYTES_MAX} bytes`);
    }
    const image = openImage(source.data);
    if (!image) throw invalid("Could not process image");
    if (image.mediaType !== source.media_type) {
      throw invalid(
        `${at}: The image was specified using the ${source.media_type} media type, but the image appears to be a ${image.mediaType} image`,
      );
    }
    const isMany = found.length > MANY_IMAGES;
    const edgeMax = isMany ? EDGE_MAX_OF_MANY : EDGE_MAX;
    if (Math.max(image.width, image.height) > edgeMax) {
      const of = isMany ? " for many-image requests" : "";
      throw invalid(`${at}: At least one of the image dimensions exceed max allowed size${of}: ${edgeMax} pixels`);
    }
  }
}

type Turn = { readonly role: AnthropicMessage["role"]; readonly blocks: readonly AnthropicBlock[] };

/** The vendor joins neighbours of one role before it looks at pairs. */
function mergeNeighbours(turns: readonly Turn[]): readonly Turn[] {
  const merged: Turn[] = [];
  for (const turn of turns) {
    const last = merged.at(-1);
    if (last?.role === turn.role) merged[merged.length - 1] = { ...last, blocks: [...last.blocks, ...turn.blocks] };
    else merged.push(turn);
  }
  return merged;
}

function checkPairing(turns: readonly Turn[]): void {
  const seen = new Set<string>();
  turns.forEach((turn, index) => {
    const before = turns[index - 1];
    const asked = new Set(before?.role === "assistant" ? before.blocks.flatMap(usedId) : []);
    checkResults(turn, index, asked);
    for (const id of turn.blocks.flatMap(usedId)) {
      if (seen.has(id)) throw invalid(`messages.${index}: \`tool_use\` ids must be unique`);
      seen.add(id);
    }
    const next = turns[index + 1];
    const answered = new Set(leadingResults(next));
    const open = turn.blocks.flatMap(usedId).filter((id) => !answered.has(id));
    if (open.length > 0) {
      throw invalid(
        `messages.${index}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${open.join(", ")}. ` +
          "Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
      );
    }
  });
}

function checkResults(turn: Turn, index: number, asked: ReadonlySet<string>): void {
  const seen = new Set<string>();
  turn.blocks.forEach((block, place) => {
    if (block.type !== "tool_result") return;
    const id = block.tool_use_id;
    const path = `messages.${index}.content.${place}`;
    if (!asked.has(id)) {
      throw invalid(
        `${path}: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${id}. ` +
          "Each `tool_result` block must have a corresponding `tool_use` block in the previous message.",
      );
    }
    if (seen.has(id)) {
      throw invalid(
        `${path}: each tool_use must have a single result. Found multiple \`tool_result\` blocks with id: ${id}`,
      );
    }
    seen.add(id);
  });
}

/** Only results at the start count: the vendor refuses a result after text. */
function leadingResults(turn: Turn | undefined): readonly string[] {
  const blocks = turn?.blocks ?? [];
  const end = blocks.findIndex((block) => block.type !== "tool_result");
  return blocks
    .slice(0, end === -1 ? blocks.length : end)
    .flatMap((block) => (block.type === "tool_result" ? [block.tool_use_id] : []));
}

const usedId = (block: AnthropicBlock): readonly string[] => (block.type === "tool_use" ? [block.id] : []);

function checkTools({ tools = [], tool_choice: choice }: AnthropicRequest): void {
  const names = tools.map((tool) => tool.name);
  if (new Set(names).size < names.length) throw invalid("tools: Tool names must be unique.");
  if (choice?.type === "tool" && !names.includes(choice.name)) {
    throw invalid(`Tool '${choice.name}' not found in provided tools`);
  }
  if (choice !== undefined && tools.length === 0)
    throw invalid("tool_choice may only be specified while providing tools.");
}

function checkBreakpoints(request: AnthropicRequest): void {
  const blocks = request.messages.flatMap((message) => blocksOf(message));
  const system = Array.isArray(request.system) ? request.system : [];
  const marked = [request, ...(request.tools ?? []), ...system, ...blocks].filter(
    (place) => "cache_control" in place && place.cache_control,
  );
  if (marked.length > BREAKPOINTS_MAX) {
    throw invalid(`A maximum of ${BREAKPOINTS_MAX} blocks with cache_control may be provided. Found ${marked.length}.`);
  }
}
