/**
 * What the least possible loop costs: one shell tool, no sandbox, no journal, no limits, no types checked. It bounds what a loop in
 * Node can do. `node floor.ts TASK`, ANTHROPIC_BASE_URL in the environment.
 */
import { execFile } from "node:child_process";

type Block = { type: string; text?: string; id?: string; name?: string; input?: { command: string }; partial?: string };

const SYSTEM = "You are a coding agent. Work with the shell until the task is done.";
const TOOL = {
  name: "bash",
  description: "Run a command in bash.",
  input_schema: { type: "object", properties: { command: { type: "string" } }, required: ["command"] },
};
const TURNS_MAX = 1000;

const messages: object[] = [{ role: "user", content: [{ type: "text", text: process.argv[2] ?? "" }] }];
for (let turn = 0; turn < TURNS_MAX; turn++) {
  const content = await ask();
  messages.push({ role: "assistant", content });
  const results: object[] = [];
  for (const { type, id, input } of content) {
    if (type !== "tool_use" || !input) continue;
    results.push({ type: "tool_result", tool_use_id: id, content: await run(input.command) });
  }
  if (results.length === 0) break;
  messages.push({ role: "user", content: results });
}

async function ask(): Promise<readonly Block[]> {
  const last = messages.at(-1);
  const marked = [...messages.slice(0, -1), { ...last, content: mark(last) }];
  const body = { model: "claude-opus-5-5", max_tokens: 8000, stream: true, system: SYSTEM, tools: [TOOL] };
  const response = await fetch(`${process.env["ANTHROPIC_BASE_URL"]}/v1/messages`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-api-key": "none", "anthropic-version": "2023-06-01" },
    body: JSON.stringify({ ...body, messages: marked }),
  });
  const blocks: Block[] = [];
  for (const line of (await response.text()).split("\n")) {
    if (!line.startsWith("data: ")) continue;
    const event = JSON.parse(line.slice(6));
    if (event.type === "content_block_start") blocks.push({ ...event.content_block, partial: "" });
    const block = blocks.at(-1);
    if (!block || event.type !== "content_block_delta") continue;
    if (event.delta.type === "text_delta") block.text = (block.text ?? "") + event.delta.text;
    else block.partial = (block.partial ?? "") + event.delta.partial_json;
  }
  return blocks.map(({ type, text, id, name, partial }) =>
    type === "text"
      ? { type, text: text ?? "" }
      : { type, id: id ?? "", name: name ?? "", input: JSON.parse(partial ?? "") },
  );
}

/** A cache mark on the last block, as the vendor needs to keep what came before it. */
function mark(message: object | undefined): unknown {
  const content: unknown = message && "content" in message ? message.content : "";
  const blocks: readonly unknown[] = Array.isArray(content) ? content : [];
  return blocks.map((block, i) =>
    i === blocks.length - 1 && typeof block === "object" ? { ...block, cache_control: { type: "ephemeral" } } : block,
  );
}

function run(command: string): Promise<string> {
  return new Promise((resolve) => {
    execFile("/bin/bash", ["-c", command], (_error, stdout, stderr) => resolve(stdout + stderr || "(no output)"));
  });
}
