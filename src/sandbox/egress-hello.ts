/** The server name that a TLS client asks for (RFC 8446 4.1.2, RFC 6066 3), read from its first bytes. Nothing is decrypted. */

export type Hello =
  /** Not all of it is here yet. */
  | { readonly kind: "unfinished" }
  /** No TLS, or no name in it. */
  | { readonly kind: "nameless" }
  | { readonly kind: "named"; readonly name: string };

const NAMELESS: Hello = { kind: "nameless" };
const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const RECORD_HEADER_BYTES = 5;
/** Type, length, version and random. */
const HELLO_HEAD_BYTES = 4 + 2 + 32;

/** `bytes` is what a client has sent so far. */
export function readHello(bytes: Buffer): Hello {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    if (bytes[at] !== HANDSHAKE_RECORD) return NAMELESS;
    if (bytes.length < at + RECORD_HEADER_BYTES) return { kind: "unfinished" };
    const end = at + RECORD_HEADER_BYTES + bytes.readUInt16BE(at + 3);
    parts.push(bytes.subarray(at + RECORD_HEADER_BYTES, end));
    const message = Buffer.concat(parts);
    if (message.length > 0 && message[0] !== CLIENT_HELLO) return NAMELESS;
    if (message.length >= 4 && message.length >= 4 + message.readUIntBE(1, 3)) return readMessage(message);
    at = end;
  }
  return { kind: "unfinished" };
}

function readMessage(message: Buffer): Hello {
  const hello = message.subarray(0, 4 + message.readUIntBE(1, 3));
  try {
    let at = HELLO_HEAD_BYTES;
    at += 1 + hello.readUInt8(at); // The session's id, then cipher suites and compressions.
    at += 2 + hello.readUInt16BE(at);
    at += 1 + hello.readUInt8(at);
    const end = at + 2 + hello.readUInt16BE(at);
    for (at += 2; at < end; at += 4 + hello.readUInt16BE(at + 2)) {
      if (hello.readUInt16BE(at) === SERVER_NAME) return readName(hello.subarray(at + 4, end));
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // A length that points out of the message.
  }
  return NAMELESS;
}

/** The list's length, then a type (0, a host name is the only one), the name's length, the name. */
function readName(list: Buffer): Hello {
  if (list.readUInt8(2) !== 0) return NAMELESS;
  const length = list.readUInt16BE(3);
  const name = list.subarray(5, 5 + length);
  return name.length === length ? { kind: "named", name: name.toString("latin1").toLowerCase() } : NAMELESS;
}
