/** A session that its first command opens: most runs never need their read-only one, and each costs two processes and a control group. */
import type { SandboxSession } from "./sandbox.ts";

export type LazySession = SandboxSession & {
  /** Opens it now, for whoever knows that a command will come. Rejects as that command would; nobody has to wait for it. */
  begin(): Promise<void>;
};

/** What `open` throws, the first command throws, and each one after it. */
export function lazySession(open: () => Promise<SandboxSession>): LazySession {
  let opening: Promise<SandboxSession> | null = null;
  let isClosed = false;
  const openOnce = () => {
    if (isClosed) throw new Error("The sandbox session was closed.");
    return (opening ??= open());
  };
  return {
    async begin() {
      await openOnce();
    },
    async exec(command, signal) {
      return (await openOnce()).exec(command, signal);
    },
    async [Symbol.asyncDispose]() {
      isClosed = true;
      const session = await opening?.catch(() => null); // Who asked for it has the error.
      await session?.[Symbol.asyncDispose]();
    },
  };
}
