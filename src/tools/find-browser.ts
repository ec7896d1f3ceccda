/** Whether there is a browser in a sandbox, which decides whether the agent gets the screenshot tool: asked before a run's first request. */
import { constants, readFileSync } from "node:fs";
import { access, open, realpath } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import type { Sandbox, SandboxSession } from "../sandbox/sandbox.ts";

/** The path of a browser in the session's sandbox, null for none. */
export type FindBrowser = (session: SandboxSession, signal: AbortSignal) => Promise<string | null>;

/** Best first. Debian's wrapper of chromium wants settings in /etc, so what it wraps stands before it. */
const BROWSERS = [
  ...["/usr/lib/chromium/chromium-headless-shell", "chrome-headless-shell", "headless_shell"],
  ...["/usr/lib/chromium/chromium", "/usr/lib/chromium-browser/chromium-browser"],
  ...["google-chrome-stable", "google-chrome", "chromium", "chromium-browser"],
];
/** Where bubblewrap's sandbox finds programs of the host, in its order. */
const HOST_FOLDERS = ["/usr/local/bin", "/usr/bin"];
/** Of a script, in search of the snap that it would start. */
const SCRIPT_BYTES_MAX = 64 * 1024;

/**
 * Looks once: all sessions of a sandbox have the same programs. Where they are the host's /usr, no sandbox is opened to look at it,
 * unless `tools`, folders of the host that a sandbox has besides, may hold one.
 */
export function findBrowserOnce({ driver }: Pick<Sandbox, "driver">, tools: readonly string[]): FindBrowser {
  const look: FindBrowser = async (session, signal) => {
    if (driver !== "bubblewrap") return await findBrowser(session, signal);
    const path = await findHostBrowser();
    return path === null && tools.length > 0 ? await findBrowser(session, signal) : path;
  };
  let found: string | null | undefined;
  return async (session, signal) => (found === undefined ? (found = await look(session, signal)) : found);
}

/** A browser in this sandbox, null for none. */
export async function findBrowser(session: SandboxSession, signal: AbortSignal): Promise<string | null> {
  const script = readFileSync(new URL("find-browser.sh", import.meta.url), "utf8");
  const argv = ["/bin/sh", "-c", script, "sh", ...BROWSERS];
  const { exit, stdout } = await session.exec(
    { argv, cwd: "", stdin: "", timeoutMs: 20_000, outputBytesMax: 64 * 1024 },
    signal,
  );
  const path = stdout.toString().trim();
  return exit.kind === "exited" && exit.code === 0 && path !== "" ? path : null;
}

/** The same on the host, in what a sandbox shows of it. */
async function findHostBrowser(): Promise<string | null> {
  for (const browser of BROWSERS) {
    const paths = isAbsolute(browser) ? [browser] : HOST_FOLDERS.map((folder) => join(folder, browser));
    for (const path of paths) if (await isBrowser(path)) return path;
  }
  return null;
}

async function isBrowser(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    const real = await realpath(path); // Google's lies in /opt, which no sandbox shows.
    return real.startsWith("/usr/") && !(await startsSnap(real));
  } catch (error) {
    if (error instanceof Error && "syscall" in error) return false; // Not there, or not ours to start.
    throw error;
  }
}

/** Ubuntu's chromium is a script that wants a snap. */
async function startsSnap(path: string): Promise<boolean> {
  await using file = await open(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(SCRIPT_BYTES_MAX));
  const text = buffer.toString("latin1", 0, bytesRead);
  const isSnap = text.startsWith("#!") && text.includes("snap");
  return isSnap;
}
