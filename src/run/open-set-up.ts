/** What an installation brings to its set-ups. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { INTERNET } from "../sandbox/egress-policy.ts";
import type { Settings } from "../settings.ts";
import { SetUpCache } from "../workspace/set-up-cache.ts";
import type { LocalSetUpParts } from "./local-set-up.ts";
import type { SetUpParts } from "./set-up.ts";

type Chosen = Pick<
  Settings,
  "dataDir" | "sandboxDriver" | "sandboxContainer" | "sandboxTools" | "setUpSecrets" | "setUpBytesMax"
>;

export function openSetUp(chosen: Chosen): SetUpParts {
  const { dataDir, sandboxDriver, sandboxContainer, sandboxTools, setUpSecrets, setUpBytesMax } = chosen;
  const driver = [sandboxDriver, sandboxContainer?.image ?? ""];
  return {
    cache: new SetUpCache(join(dataDir, "set-ups"), { bytesMax: setUpBytesMax }),
    secrets: setUpSecrets,
    network: INTERNET,
    // Compiled packages fit one machine's libraries and one node.
    image: [...driver, process.arch, process.version, readSystem(), ...sandboxTools].join("\n"),
  };
}

/** For runs in a person's own checkout. */
export function openLocalSetUp(chosen: Chosen): LocalSetUpParts {
  const { network, image } = openSetUp(chosen);
  return { network, image, stampsDir: join(chosen.dataDir, "local-set-ups") };
}

/** The distribution and its release, "" on a system that does not say. */
function readSystem(): string {
  try {
    return readFileSync("/etc/os-release", "utf8");
  } catch {
    return "";
  }
}
