/**
 * Starts the command line with V8's compiled code kept on disk: half of a start was parsing, and stripping types from, what had not changed.
 * The folder is the user's own, never a shared one such as /tmp: whoever can write it decides what we run.
 */
import { enableCompileCache } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";

// NODE_COMPILE_CACHE and NODE_DISABLE_COMPILE_CACHE are Node's own and have the last word. A folder that cannot be made costs only time.
if (!process.env["NODE_COMPILE_CACHE"]) {
  enableCompileCache(join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "pullwright", "compiled"));
}

await import("../src/cli.ts");
