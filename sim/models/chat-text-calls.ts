/** Calls as models write them into their text when their server has no parser for them: the forms of their own chat templates. */
import type { Part } from "./reply.ts";
import type { CallsAs } from "./script.ts";

type CallPart = Extract<Part, { kind: "call" }>;

/** `text` of a call is its JSON, which a fault may have cut or spoiled. */
export function writeCalls(form: CallsAs, calls: readonly CallPart[]): string {
  const each = calls.map(({ call, text }) => ({ name: "name" in call ? call.name : "apply_patch", json: text }));
  const object = (key: string) => each.map(({ name, json }) => `{"name": "${name}", "${key}": ${json}}`);
  switch (form) {
    case "hermes":
      return object("arguments")
        .map((json) => `<tool_call>\n${json}\n</tool_call>`)
        .join("\n");
    case "fenced":
      return object("arguments")
        .map((json) => `\`\`\`json\n${json}\n\`\`\``)
        .join("\n");
    case "bare":
      return object("arguments").join("\n");
    case "llama":
      return `<|python_tag|>${object("parameters").join("; ")}`;
    case "mistral":
      return `[TOOL_CALLS][${object("arguments").join(", ")}]`;
    case "qwen":
      return each.map(({ name, json }) => writeXml(name, json)).join("\n");
  }
}

function writeXml(name: string, json: string): string {
  const input = JSON.parse(json) as Record<string, unknown>;
  const parameters = Object.entries(input).map(([key, value]) => {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    return `<parameter=${key}>\n${text}\n</parameter>\n`;
  });
  return `<tool_call>\n<function=${name}>\n${parameters.join("")}</function>\n</tool_call>`;
}
