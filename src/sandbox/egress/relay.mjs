// Runs inside the sandbox: what programs send to 127.0.0.1:3128 goes to the proxy's socket, byte for byte. It judges nothing.
import { connect, createServer } from "node:net";

const [, , path, port] = process.argv;

createServer({ allowHalfOpen: true }, (near) => {
  const far = connect({ path, allowHalfOpen: true });
  near.pipe(far).pipe(near);
  for (const [one, other] of [
    [near, far],
    [far, near],
  ]) {
    one.on("error", () => other.destroy());
    one.on("close", () => other.destroy());
  }
}).listen(Number(port), "127.0.0.1", () => process.stdout.write("ready\n"));
