/** An npm registry of tiny packages, packed here: real tarballs with real integrity, and the lockfile of a project that needs them all. */
import { createHash } from "node:crypto";
import type { RequestListener } from "node:http";
import { gzipSync } from "node:zlib";

export type Registry = {
  readonly answer: RequestListener;
  /** package.json and package-lock.json of the project, and what else npm must know. */
  readonly files: Readonly<Record<string, string>>;
  /** Paths asked for, in order. */
  readonly asked: string[];
  /** The Authorization headers that came with them. */
  readonly authorizations: Set<string>;
};

export type RegistryOptions = {
  readonly count: number;
  /** More fields of the project's package.json, such as scripts. */
  readonly project?: Readonly<Record<string, unknown>>;
  /** With it the registry answers no one else. */
  readonly token?: string;
};

const VERSION = "1.0.0";
const HOST = "registry.npmjs.org";

export function openRegistry({ count, project = {}, token }: RegistryOptions): Registry {
  const names = Array.from({ length: count }, (_, i) => `tiny-${i}`);
  const tarballs = new Map(names.map((name) => [`/${name}/-/${name}-${VERSION}.tgz`, packPackage(name)]));
  const asked: string[] = [];
  const authorizations = new Set<string>();
  const dependencies = Object.fromEntries(names.map((name) => [name, VERSION]));
  const root = { name: "project", version: VERSION, private: true, ...project, dependencies };
  const locked = [...tarballs].map(([path, bytes], i) => {
    const integrity = `sha512-${createHash("sha512").update(bytes).digest("base64")}`;
    return [
      `node_modules/${names[i] ?? ""}`,
      { version: VERSION, resolved: `https://${HOST}${path}`, integrity },
    ] as const;
  });
  const hasScript = "scripts" in project ? { hasInstallScript: true } : {};
  const lock = { name: "project", version: VERSION, lockfileVersion: 3, requires: true };
  const packages = {
    "": { name: "project", version: VERSION, ...hasScript, dependencies },
    ...Object.fromEntries(locked),
  };
  return {
    asked,
    authorizations,
    answer: (request, response) => {
      const path = request.url ?? "";
      asked.push(path);
      authorizations.add(request.headers.authorization ?? "");
      const bytes = tarballs.get(path);
      if (token !== undefined && request.headers.authorization !== `Bearer ${token}`) response.writeHead(401).end();
      else if (bytes === undefined) response.writeHead(404).end("{}");
      else response.writeHead(200, { "content-type": "application/octet-stream" }).end(bytes);
    },
    files: {
      "package.json": `${JSON.stringify(root, null, 2)}\n`,
      "package-lock.json": `${JSON.stringify({ ...lock, packages }, null, 2)}\n`,
      ".gitignore": "node_modules/\n",
    },
  };
}

function packPackage(name: string): Buffer {
  const files = {
    "package.json": JSON.stringify({ name, version: VERSION, main: "index.js" }),
    "index.js": `module.exports = ${JSON.stringify(name)};\n`,
    "README.md": `# ${name}\n`,
  };
  const entries = Object.entries(files).map(([path, text]) => tarEntry(`package/${path}`, Buffer.from(text)));
  return gzipSync(Buffer.concat([...entries, Buffer.alloc(1024)]));
}

/** One file in the ustar format (POSIX.1-1988): a header block, then the content in whole blocks. */
function tarEntry(path: string, content: Buffer): Buffer {
  const header = Buffer.alloc(512);
  header.write(path, 0);
  for (const [at, value] of [
    [100, "0000644\0"],
    [108, "0000000\0"],
    [116, "0000000\0"],
    [124, `${content.length.toString(8).padStart(11, "0")}\0`],
    [136, "00000000000\0"],
    [148, "        "],
    [156, "0"],
    [257, "ustar\u000000"],
  ] as const)
    header.write(value, at, "latin1");
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}
