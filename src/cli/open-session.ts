/** A sandbox over a folder of a person's own, as the debugging commands need it: writable, but for its .git. */
import { resolve } from "node:path";
import { UserError } from "../failure.ts";
import { SANDBOX_LIMITS } from "../sandbox/limits.ts";
import { openSandbox } from "../sandbox/open-sandbox.ts";
import { requireIsolation } from "../sandbox/require-isolation.ts";
import type { SandboxSession } from "../sandbox/sandbox.ts";
import { readSettings } from "../settings.ts";

export async function openSession(workspace: string): Promise<SandboxSession> {
  const driver = openSandbox(readSettings());
  await requireIsolation(driver, () => {}); // Missing limits are doctor's to tell.
  return driver.open({
    workspaceDir: resolve(workspace),
    readOnlyPaths: [".git"],
    isReadOnly: false,
    limits: SANDBOX_LIMITS,
  });
}

/**
 * Aborted when someone presses Ctrl-C or stops us, so that a session is closed and a folder given back to its owner. `next` is
 * added to what is said then.
 */
export function untilInterrupted(next = ""): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.once(name, () =>
      controller.abort(new UserError(`Stopped by ${name}. Edits made so far are in the folder.${next}`)),
    );
  }
  return controller.signal;
}
