/** How each harness is started without a network, without questions and with the stand-in as its vendor. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Command } from "./measure.ts";
import { TASK } from "./script.ts";

export type Place = {
  /** As the last session left it. */
  readonly home: string;
  readonly checkout: string;
  /** Without the /v1 that OpenAI's clients want in it. */
  readonly baseUrl: string;
  /** node_modules of the installed peers. */
  readonly modules: string;
};

export type Harness = {
  readonly name: string;
  readonly wire: "Messages" | "Responses" | "Chat";
  /** Where npm has it; null for what is ours. */
  readonly package: { readonly name: string; readonly version: string } | null;
  readonly command: (place: Place) => Command;
};

const repository = join(import.meta.dirname, "../..");
const CLAUDE = "claude-opus-5-5";
const GPT = "gpt-6.1-sol";

/** Its newest models get a prompt of 48 to 56 kB and a tool that runs JavaScript; this one gets 40 kB and a shell tool. */
const CODEX_MODEL = "gpt-5.4";

/** Ours first; the peers as performance figures of theirs were first taken, so that a row can be compared with older ones. */
export const HARNESSES: readonly Harness[] = [
  { name: "pullwright", wire: "Messages", package: null, command: (place) => pullwright(place, `anthropic/${CLAUDE}`) },
  {
    name: "pullwright (OpenAI)",
    wire: "Responses",
    package: null,
    command: (place) => pullwright(place, `openai/${GPT}`),
  },
  { name: "bare loop", wire: "Messages", package: null, command: floor },
  {
    ...{
      name: "pi",
      wire: "Messages",
      command: (place) => pi(place, "@earendil-works/pi-coding-agent/dist/bundle/cli.js"),
    },
    package: { name: "@earendil-works/pi-coding-agent", version: "0.87.1" },
  },
  {
    ...{
      name: "pi (mariozechner)",
      wire: "Messages",
      command: (place) => pi(place, "@mariozechner/pi-coding-agent/dist/cli.js"),
    },
    package: { name: "@mariozechner/pi-coding-agent", version: "0.73.1" },
  },
  { name: "codex", wire: "Responses", command: codex, package: { name: "@openai/codex", version: "0.169.0" } },
  {
    ...{ name: "claude-code", wire: "Messages", command: claudeCode },
    package: { name: "@anthropic-ai/claude-code", version: "2.1.329" },
  },
  { name: "opencode", wire: "Chat", command: opencode, package: { name: "opencode-ai", version: "1.18.33" } },
];

/** Nothing of the caller's environment: no key, no setting, no proxy. */
function environment({ home }: Place): Record<string, string> {
  const path = [dirname(process.execPath), "/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"].join(":");
  return { PATH: path, HOME: home, TMPDIR: "/tmp", LANG: "C.UTF-8", TERM: "dumb", CI: "1" };
}

function pullwright(place: Place, model: string): Command {
  return {
    argv: [join(repository, "bin/pullwright"), "run", TASK],
    cwd: place.checkout,
    env: {
      ...environment(place),
      ...{ ANTHROPIC_API_KEY: "sk-bench", ANTHROPIC_BASE_URL: place.baseUrl },
      ...{ OPENAI_API_KEY: "sk-bench", OPENAI_BASE_URL: `${place.baseUrl}/v1` },
      ...{ PULLWRIGHT_MODEL: model, PULLWRIGHT_DATA: join(place.home, "data") },
    },
  };
}

function floor(place: Place): Command {
  return {
    argv: [process.execPath, join(import.meta.dirname, "floor.ts"), TASK],
    ...{ cwd: place.checkout, env: { ...environment(place), ANTHROPIC_BASE_URL: place.baseUrl } },
  };
}

function pi(place: Place, entry: string): Command {
  const providers = { anthropic: { baseUrl: place.baseUrl, apiKey: "sk-bench" } };
  write(join(place.home, ".pi/agent/models.json"), JSON.stringify({ providers }));
  const options = ["--print", "--offline", "--provider", "anthropic", "--model", "claude-sonnet-4-5"];
  return {
    argv: [process.execPath, join(place.modules, entry), ...options, TASK],
    cwd: place.checkout,
    env: { ...environment(place), ANTHROPIC_API_KEY: "sk-bench", PI_OFFLINE: "1", PI_TELEMETRY: "0" },
  };
}

/** With its own sandbox, as it is meant to be used. */
function codex(place: Place): Command {
  const home = join(place.home, ".codex");
  const provider = { name: "bench", base_url: `${place.baseUrl}/v1`, env_key: "OPENAI_API_KEY", wire_api: "responses" };
  const lines = Object.entries(provider).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
  write(join(home, "config.toml"), `model_provider = "bench"\n\n[model_providers.bench]\n${lines.join("\n")}\n`);
  return {
    argv: [join(place.modules, ".bin/codex"), "exec", "--model", CODEX_MODEL, "--sandbox", "workspace-write", TASK],
    cwd: place.checkout,
    env: { ...environment(place), CODEX_HOME: home, OPENAI_API_KEY: "sk-bench" },
  };
}

function claudeCode(place: Place): Command {
  return {
    argv: [join(place.modules, ".bin/claude"), "-p", TASK, "--dangerously-skip-permissions", "--model", CLAUDE],
    cwd: place.checkout,
    env: {
      ...environment(place),
      ...{ ANTHROPIC_API_KEY: "sk-bench", ANTHROPIC_BASE_URL: place.baseUrl },
      ...{ DISABLE_AUTOUPDATER: "1", DISABLE_TELEMETRY: "1", CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1" },
      IS_SANDBOX: "1", // Without it root may not skip the permissions.
    },
  };
}

function opencode(place: Place): Command {
  const options = { baseURL: `${place.baseUrl}/v1`, apiKey: "sk-bench" };
  const models = { scripted: { name: "scripted", tool_call: true, limit: { context: 1_000_000, output: 32_000 } } };
  const provider = { bench: { npm: "@ai-sdk/openai-compatible", name: "bench", options, models } };
  const config = { provider, autoupdate: false, share: "disabled", permission: "allow" };
  write(join(place.home, ".config/opencode/opencode.json"), JSON.stringify(config));
  return {
    argv: [join(place.modules, ".bin/opencode"), "run", "--model", "bench/scripted", TASK],
    cwd: place.checkout,
    env: {
      ...environment(place),
      ...{ OPENCODE_DISABLE_AUTOUPDATE: "1", OPENCODE_DISABLE_MODELS_FETCH: "1", OPENCODE_DISABLE_LSP_DOWNLOAD: "1" },
    },
  };
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
