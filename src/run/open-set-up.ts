/** What an installation brings to its set-ups. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { INTERNET } from "../sandbox/egress-policy.ts";
import type { Settings } from "../settings.ts";
import { SetUpCache } from "../workspace/set-up-cache.ts";
import type { SetUpParts } from "./set-up.ts";

type Chosen = Pick<Settings, "dataDir" | "sandboxDriver" | "sandboxTools" | "setUpSecrets" | "setUpBytesMax">;

export function openSetUp(chosen: Chosen): SetUpParts {
  const { dataDir, sandboxDriver, sandboxTools, setUpSecrets, setUpBytesMax } = chosen;
  return {
    cache: new SetUpCache(join(dataDir, "set-ups"), { bytesMax: setUpBytesMax }),
    secrets: setUpSecrets,
    network: INTERNET,
    // Compiled packages fit one machine's libraries and one node.
    image: [sandboxDriver, process.arch, process.version, readSystem(), ...sandboxTools].join("\n"),
  };
}

/** The distribution and its release, "" on a system that does not say. */
function readSystem(): string {
  try {
    return readFileSync("/etc/os-release", "utf8");
  } catch {
    return "";
  }
}
