/** A session that its first command opens: most runs never need their read-only one, and each costs two processes and a control group. */
import type { SandboxSession } from "./sandbox.ts";

/** What `open` throws, the first command throws, and each one after it. */
export function lazySession(open: () => Promise<SandboxSession>): SandboxSession {
  let opening: Promise<SandboxSession> | null = null;
  let isClosed = false;
  return {
    async exec(command, signal) {
      if (isClosed) throw new Error("The sandbox session was closed.");
      return (await (opening ??= open())).exec(command, signal);
    },
    async [Symbol.asyncDispose]() {
      isClosed = true;
      const session = await opening?.catch(() => null); // Who asked for it has the error.
      await session?.[Symbol.asyncDispose]();
    },
  };
}
