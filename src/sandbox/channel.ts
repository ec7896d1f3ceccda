/**
 * The input and output of commands: a file and named pipes. Node's own pipes are sockets, which a command cannot open by
 * name: `cat /dev/stdin` and `echo x > /dev/stderr` would fail inside.
 */
import { execFile } from "node:child_process";
import { chmodSync, constants, openSync, rmSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { Socket } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";

export type Ends = {
  /** The file a command reads from. */
  readonly stdin: string;
  readonly stdout: Socket;
  readonly stderr: Socket;
};

/** One command at a time may use it: a second one would read the first one's output. */
export class Channel {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Makes the folder, closed to others. Node cannot make named pipes: `makePipes` does it, or whoever starts the commands. */
  static async open(folder: string): Promise<Channel> {
    await mkdir(folder, { mode: 0o700 });
    return new Channel(folder);
  }

  async makePipes(): Promise<void> {
    await promisify(execFile)("mkfifo", ["-m", "600", "--", ...["stdout", "stderr"].map((name) => this.path(name))]);
  }

  openEnds(input: Uint8Array | string): Ends {
    const stdin = input.length > 0 ? this.#writeInput(input) : "/dev/null";
    return { stdin, stdout: this.openReader("stdout"), stderr: this.openReader("stderr") };
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /**
   * Before its writer, which would wait for us; it closes when the last writer has gone. The writer opens the pipe by name: a
   * description of its own and a blocking one, or programs would meet EAGAIN.
   */
  openReader(name: string): Socket {
    chmodSync(this.path(name), 0o600); // The last command owned it through its own descriptor, and may have closed it to us.
    const fd = openSync(this.path(name), constants.O_RDONLY | constants.O_NONBLOCK);
    return new Socket({ fd, readable: true, writable: false });
  }

  // Not a pipe: opened by name, one whose writer is done would wait for the next writer.
  #writeInput(input: Uint8Array | string): string {
    const path = this.path("stdin");
    rmSync(path, { force: true });
    writeFileSync(path, input);
    chmodSync(path, 0o444); // The command may have another uid than we.
    return path;
  }
}
