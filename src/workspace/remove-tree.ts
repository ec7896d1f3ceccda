/** Removes a folder that sandboxed code has had its hands on: closed to its own owner, or deeper than a path can be long. */
import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { promisify } from "node:util";

/** Nothing happens when the folder is not there. Links are removed and never followed. */
export async function removeTree(dir: string): Promise<void> {
  const options = { recursive: true, force: true, maxRetries: 3, retryDelay: 50 } as const;
  try {
    await rm(dir, options);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : "";
    if (code !== "EACCES" && code !== "EPERM" && code !== "ENAMETOOLONG") throw error;
    // coreutils walk from folder to folder and so reach what has no path of 4096 bytes. Root is never refused; an ordinary
    // owner is, until the rights are back. What fails here shows in the removal.
    await promisify(execFile)("chmod", ["-R", "u+rwX", "--", dir]).catch(() => {});
    await promisify(execFile)("rm", ["-rf", "--", dir]);
  }
}
