/** Removes a folder that sandboxed code has had its hands on: it may hold folders that their own owner may not enter or change. */
import { chmod, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** Nothing happens when the folder is not there. Links are removed and never followed. */
export async function removeTree(dir: string): Promise<void> {
  const options = { recursive: true, force: true, maxRetries: 3, retryDelay: 50 } as const;
  try {
    await rm(dir, options);
  } catch (error) {
    // Root is never refused; an ordinary owner is, until the rights are back.
    if (!(error instanceof Error && "code" in error && (error.code === "EACCES" || error.code === "EPERM")))
      throw error;
    await openFolders(dir);
    await rm(dir, options);
  }
}

async function openFolders(dir: string): Promise<void> {
  const open = [dir];
  for (let next = open.pop(); next !== undefined; next = open.pop()) open.push(...(await openFolder(next)));
}

/** Its folders. None when it is gone: the rm that failed goes on in other places for a moment. */
async function openFolder(dir: string): Promise<readonly string[]> {
  try {
    await chmod(dir, 0o700);
    const entries = await readdir(dir, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => join(dir, entry.name));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}
