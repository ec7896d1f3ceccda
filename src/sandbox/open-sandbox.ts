/** Chooses the driver that the settings name and gives it the executables our own tools call. */
import { rgPath } from "@vscode/ripgrep";
import type { Settings } from "../settings.ts";
import { bubblewrapSandbox } from "./bubblewrap.ts";
import { hostSandbox } from "./host.ts";
import type { Sandbox } from "./sandbox.ts";

export function openSandbox(settings: Pick<Settings, "sandboxDriver" | "sandboxTools">): Sandbox {
  const tools = {
    tools: settings.sandboxTools,
    binaries: [
      { name: "rg", path: rgPath },
      { name: "node", path: process.execPath },
    ],
  };
  return settings.sandboxDriver === "host" ? hostSandbox(tools) : bubblewrapSandbox(tools);
}
