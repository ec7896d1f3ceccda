/** Whether the agent can look at pages: a browser in the sandbox that starts there. None is no fault. */
import { rm } from "node:fs/promises";
import { SANDBOX_LIMITS } from "../sandbox/limits.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { makeStateFolder } from "../sandbox/state-folder.ts";
import { findBrowser } from "../tools/find-browser.ts";
import type { Diagnosis } from "./doctor.ts";

const NAME = "sandbox: browser";
const HINT = "none, so the agent cannot look at pages; apt-get install chromium-headless-shell brings one";

/** To be called only where commands can be isolated. */
export async function diagnoseBrowser(sandbox: Sandbox): Promise<Diagnosis> {
  await using undo = new AsyncDisposableStack();
  const workspaceDir = await makeStateFolder();
  undo.defer(() => rm(workspaceDir, { recursive: true, force: true }));
  const opening = { workspaceDir, readOnlyPaths: [], isReadOnly: true, limits: SANDBOX_LIMITS };
  const session = undo.use(await sandbox.open(opening));
  const { signal } = new AbortController();
  const browser = await findBrowser(session, signal);
  if (browser === null) return { name: NAME, state: "ok", detail: HINT, remedy: "" };
  const command = { argv: [browser, "--version"], cwd: "", stdin: "", timeoutMs: 30_000, outputBytesMax: 64 * 1024 };
  const { exit, stdout } = await session.exec(command, signal);
  const version = stdout.toString().trim();
  if (exit.kind === "exited" && exit.code === 0) return { name: NAME, state: "ok", detail: version, remedy: "" };
  const remedy = "Install chromium-headless-shell; it is taken before any other.";
  return { name: NAME, state: "warning", detail: `${browser} does not start`, remedy };
}
