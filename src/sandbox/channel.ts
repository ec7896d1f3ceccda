/**
 * The input and output of commands: a file and named pipes. Node's own pipes are sockets, which a command cannot open by
 * name: `cat /dev/stdin` and `echo x > /dev/stderr` would fail inside.
 */
import { execFile } from "node:child_process";
import { chmodSync, closeSync, constants, openSync, rmSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { Socket } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";

export type Ends = {
  /** For spawn's stdio; close them in this process once the child has them. */
  readonly child: { readonly stdin: number | "ignore"; readonly stdout: number; readonly stderr: number };
  readonly stdout: Socket;
  readonly stderr: Socket;
};

/** One command at a time may use it: a second one would read the first one's output. */
export class Channel {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Makes the folder, closed to others. */
  static async open(folder: string): Promise<Channel> {
    await mkdir(folder, { mode: 0o700 });
    const paths = ["stdout", "stderr"].map((name) => join(folder, name));
    await promisify(execFile)("mkfifo", ["-m", "600", "--", ...paths]);
    return new Channel(folder);
  }

  openEnds(input: Uint8Array | string): Ends {
    const stdin = input.length > 0 ? this.#openInput(input) : "ignore";
    const stdout = this.#openOutput("stdout");
    const stderr = this.#openOutput("stderr");
    return {
      child: { stdin, stdout: stdout.childEnd, stderr: stderr.childEnd },
      stdout: stdout.socket,
      stderr: stderr.socket,
    };
  }

  // Not a pipe: opened by name, one whose writer is done would wait for the next writer.
  #openInput(input: Uint8Array | string): number {
    const path = join(this.#folder, "stdin");
    rmSync(path, { force: true });
    writeFileSync(path, input);
    chmodSync(path, 0o444); // The command may have another uid than we.
    return openSync(path, constants.O_RDONLY);
  }

  // The order matters: a reader may open first if it does not block, a writer only when there is a reader. The child's
  // end must be a blocking one, and a description of its own, or programs would meet EAGAIN.
  #openOutput(name: string): { socket: Socket; childEnd: number } {
    const path = join(this.#folder, name);
    chmodSync(path, 0o600); // The last command owned it through its own descriptor, and may have closed it to us.
    const ours = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const childEnd = openSync(path, constants.O_WRONLY);
    return { socket: new Socket({ fd: ours, readable: true, writable: false }), childEnd };
  }
}

export function closeChildEnds(ends: Ends): void {
  const { stdin, stdout, stderr } = ends.child;
  for (const fd of [stdin, stdout, stderr]) if (fd !== "ignore") closeSync(fd);
}
