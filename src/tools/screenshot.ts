/**
 * The screenshot tool: a page in a real browser, as an image. Server and browser live in one command of the sandbox and end with it;
 * the page reaches what any other command reaches, and nothing else.
 */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { unreachable } from "../failure.ts";
import type { ExecExit, SandboxSession } from "../sandbox/sandbox.ts";
import type { Album } from "./album.ts";
import { defineTool } from "./define-tool.ts";
import { IMAGE_EDGE_MAX, readImage } from "./image.ts";
import { checkPath } from "./paths.ts";
import { ToolRefusal, type Tool } from "./tool.ts";
import { cleanText, truncate } from "./truncate.ts";

/** What laptops show, and about 1,300 tokens. */
const VIEWPORT = { width: 1280, height: 800 };
/** A development server that compiles first. */
const SERVER_SECONDS = 60;
/** The server's time, two tries of the browser (15 s each), and what a busy machine adds. */
const TIMEOUT_MS = 120_000;
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;
const LOG_BYTES_MAX = 3 * 1024;

const edge = z.int().min(16).max(IMAGE_EDGE_MAX).optional();
const Input = z.object({ url: z.string().trim().min(1), server: z.string().optional(), width: edge, height: edge });

export type Photography = {
  readonly session: SandboxSession;
  readonly album: Album;
  /** What `findBrowser` found in the sandbox. */
  readonly browser: string;
};

export function screenshotTool({ session, album, browser }: Photography): Tool {
  const script = readScript("screenshot.sh");
  return defineTool({
    name: "screenshot",
    effect: "writes", // The server's command may write.
    input: Input,
    run: async ({ url, server = "", width = VIEWPORT.width, height = VIEWPORT.height }, signal) => {
      const target = readTarget(url, server.trim());
      const numbers = [target.port, width, height, SERVER_SECONDS].map(String);
      const argv = ["/bin/sh", "-c", script, "sh", browser, target.address, ...numbers, server.trim()];
      const limits = { timeoutMs: TIMEOUT_MS, outputBytesMax: OUTPUT_BYTES_MAX };
      const { exit, stdout, stderr } = await session.exec({ argv, cwd: "", stdin: "", ...limits }, signal);
      if (exit.kind !== "exited") throw new ToolRefusal(whyStopped(exit));
      // Too long an argument, or a full /tmp: what the script ends well says how.
      if (exit.code !== 0) throw new ToolRefusal(`No picture: ${cleanText(stderr.toString()).slice(0, LOG_BYTES_MAX)}`);
      const said = readSaid(stderr.toString());
      if (said.end !== "shown") throw new ToolRefusal(`${whyNotShown(said, target)}${renderLogs(said)}`);
      const read = readImage(stdout);
      if (read?.kind !== "image") throw new ToolRefusal(`The picture cannot be shown: ${read?.why ?? "it is none"}.`);
      const page = album.show(read.image);
      return { text: page.text + renderLogs({ ...said, server: "" }), images: page.images };
    },
  });
}

type Target = { readonly address: string; readonly port: number | "" };

const LOCAL = /^(?:localhost|127(?:\.\d+){3}|0\.0\.0\.0|\[::1?\])$/;

function readTarget(typed: string, server: string): Target {
  const text = /^(?:localhost|127\.|0\.0\.0\.0)[^/]*:\d/.test(typed) ? `http://${typed}` : typed;
  const url = /^[a-z][a-z+.-]*:/i.test(text) && URL.canParse(text) ? new URL(text) : null;
  if (url && url.protocol !== "file:") {
    if (!/^https?:$/.test(url.protocol)) throw new ToolRefusal("url must be http, https or the path of an HTML file.");
    if (server === "" && LOCAL.test(url.hostname)) {
      throw new ToolRefusal("Nothing runs between two calls: give the command that serves the page as `server`.");
    }
    return { address: url.href, port: Number(url.port) || (url.protocol === "https:" ? 443 : 80) };
  }
  if (server !== "") throw new ToolRefusal("With `server`, url must tell the port: http://localhost:PORT/path.");
  const checked = checkPath(url ? decodePath(url.pathname) : text);
  if (checked.kind === "refused") throw new ToolRefusal(`Cannot show "${typed}": ${checked.why}.`);
  return { address: `file:${checked.path}`, port: "" };
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch (error) {
    if (error instanceof URIError) throw new ToolRefusal("url holds a % that begins no escape; give the file's path.");
    throw error;
  }
}

type Said = { readonly end: string; readonly detail: string; readonly console: string; readonly server: string };

/** As screenshot.sh writes it. */
function readSaid(text: string): Said {
  const [head = "", server = ""] = text.split("\0");
  const [end = "", detail = "", ...console] = head.split("\n");
  return { end, detail, console: console.join("\n").trim(), server: server.trim() };
}

function whyNotShown({ end, detail }: Said, { address, port }: Target): string {
  switch (end) {
    case "no-file":
      return `There is no file ${address.slice("file:".length)}.`;
    case "server-failed":
      return `The server ended with exit status ${detail} before it listened on port ${port}.`;
    case "no-port": {
      const ports = detail.split(" ").flatMap((hex) => (hex === "" ? [] : [Number.parseInt(hex, 16)]));
      const instead = ports.length > 0 ? `It listens on ${ports.join(", ")} instead.` : "It listens on no port at all.";
      return `The server did not listen on port ${port} within ${SERVER_SECONDS} s. ${instead}`;
    }
    case "no-page":
      return `The browser could not load ${address}.`;
    default:
      throw new Error(`screenshot.sh said "${end} ${detail}"`);
  }
}

function renderLogs({ console, server }: Said): string {
  const parts = [
    ["The page logged:", console],
    ["The server said:", server],
  ] as const;
  return parts
    .flatMap(([head, text]) => (text === "" ? [] : [`\n${head}\n${truncate(cleanText(text), LOG_BYTES_MAX)}`]))
    .join("");
}

function whyStopped(exit: Exclude<ExecExit, { kind: "exited" }>): string {
  switch (exit.kind) {
    case "timed-out":
      return `No picture within ${exit.timeoutMs / 1000} s, server and browser together.`;
    case "output-limit":
      return "The picture is too large. Ask for fewer pixels.";
    case "memory-limit":
      return `Server and browser together used more than ${Math.round(exit.memoryBytes / 1024 / 1024)} MiB of memory.`;
    case "disk-limit":
      return "The workspace is full: delete what is not needed with the shell, then try again.";
    case "signaled":
      return `The browser was ended by ${exit.signal}.`;
    default:
      return unreachable(exit);
  }
}

function readScript(name: string): string {
  return readFileSync(new URL(name, import.meta.url), "utf8");
}
