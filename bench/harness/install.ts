/** Installs the peers from npm into a folder of the bench's own, once: it is the cache folder of whoever runs it, never the repository. */
import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

export type Package = { readonly name: string; readonly version: string };

/** Counts tokens; no part of any harness. */
const TOKENIZER: Package = { name: "gpt-tokenizer", version: "4.0.0" };
/** Some 1.5 GB; a minute on a good line. */
const INSTALL_MS_MAX = 300_000;

export function peersFolder(): string {
  return join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "pullwright-bench");
}

/** Gives node_modules, and what npm said when it failed: then what is there from before is all there is. */
export async function installPeers(packages: readonly Package[]): Promise<{ modules: string; failure: string | null }> {
  const folder = peersFolder();
  const modules = join(folder, "node_modules");
  const dependencies = Object.fromEntries([...packages, TOKENIZER].map(({ name, version }) => [name, version]));
  const wanted = `${JSON.stringify({ private: true, dependencies }, null, 2)}\n`;
  const mark = join(folder, "installed.json"); // npm writes package.json before it has installed anything.
  await mkdir(folder, { recursive: true });
  if ((await readFile(mark, "utf8").catch(() => "")) === wanted) return { modules, failure: null };
  await writeFile(join(folder, "package.json"), wanted);
  try {
    const options = { cwd: folder, timeout: INSTALL_MS_MAX };
    await promisify(execFile)("npm", ["install", "--no-audit", "--no-fund", "--no-package-lock"], options);
  } catch (error) {
    return { modules, failure: error instanceof Error ? error.message : String(error) };
  }
  await writeFile(mark, wanted);
  return { modules, failure: null };
}
