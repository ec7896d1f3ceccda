/** Chooses the driver that the settings name and gives it the executables our own tools call. */
import { rgPath } from "@vscode/ripgrep";
import type { Settings } from "../settings.ts";
import { bubblewrapSandbox } from "./bubblewrap.ts";
import { containerSandbox } from "./container.ts";
import { hostSandbox } from "./host.ts";
import type { Sandbox } from "./sandbox.ts";

type Chosen = Pick<Settings, "sandboxDriver" | "sandboxTools" | "sandboxContainer">;

export function openSandbox(settings: Chosen): Sandbox {
  const tools = {
    tools: settings.sandboxTools,
    binaries: [
      { name: "rg", path: rgPath },
      { name: "node", path: process.execPath },
    ],
  };
  if (settings.sandboxContainer !== null) return containerSandbox(tools, settings.sandboxContainer);
  return settings.sandboxDriver === "host" ? hostSandbox(tools) : bubblewrapSandbox(tools);
}
