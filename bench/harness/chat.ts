/** The answer to a Chat Completions request, as chunks; sim/models speaks the two other wires. */
import type { ServerResponse } from "node:http";
import { hashOf } from "../../sim/models/seal.ts";
import type { Said } from "./play.ts";
import type { Prompt } from "./prompt.ts";

type Usage = { readonly input: number; readonly output: number };

export function sendChat(response: ServerResponse, prompt: Prompt, said: Said, usage: Usage): void {
  const id = hashOf(prompt.segments.length, said.text);
  const call = said.call && {
    index: 0,
    id: `call_${id}`,
    type: "function",
    function: { name: said.call.name, arguments: JSON.stringify(said.call.input) },
  };
  const reason = call ? "tool_calls" : "stop";
  const told = {
    prompt_tokens: usage.input,
    completion_tokens: usage.output,
    total_tokens: usage.input + usage.output,
  };
  const common = { id: `chatcmpl-${id}`, created: 1_790_000_000, model: prompt.model };
  const message = { role: "assistant", content: said.text, ...(call ? { tool_calls: [call] } : {}) };
  if (!prompt.stream) {
    const choices = [{ index: 0, message, finish_reason: reason, logprobs: null }];
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ ...common, object: "chat.completion", choices, usage: told }));
    return;
  }
  const chunk = (delta: object, finish: string | null) => ({
    ...{ ...common, object: "chat.completion.chunk" },
    choices: [{ index: 0, delta, finish_reason: finish }],
  });
  const chunks = [
    chunk({ role: "assistant", content: said.text }, null),
    ...(call ? [chunk({ tool_calls: [call] }, null)] : []),
    chunk({}, reason),
    { ...common, object: "chat.completion.chunk", choices: [], usage: told },
  ];
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" });
  for (const one of chunks) response.write(`data: ${JSON.stringify(one)}\n\n`);
  response.end("data: [DONE]\n\n");
}
