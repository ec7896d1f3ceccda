/** Pages in a real browser, in the real sandbox. Where the machine has none the tests are skipped; `apt install chromium-headless-shell` brings one. */
import { readFile, readdir } from "node:fs/promises";
import type { RequestListener } from "node:http";
import { expect, test } from "vitest";
import { SANDBOX_LIMITS } from "../../src/sandbox/limits.ts";
import { bubblewrapSandbox } from "../../src/sandbox/bubblewrap.ts";
import { openAlbum } from "../../src/tools/album.ts";
import { findBrowser, findBrowserOnce } from "../../src/tools/find-browser.ts";
import { screenshotTool } from "../../src/tools/screenshot.ts";
import { openInternet } from "../sandbox/internet.ts";
import { TOOLS } from "../sandbox/open-session.ts";
import { pixelAt } from "./pictures.ts";
import { openWorkbench } from "./workbench.ts";

const never = new AbortController().signal;
const browser = await (async () => {
  await using bench = await openWorkbench();
  return await findBrowser(bench.session, never);
})();

const SERVER = `
const port = Number(process.argv[2]);
const page = (body) => '<body style="margin:0;background:rgb(12,200,34)">' + body;
require("node:http").createServer((request, response) => {
  response.setHeader("content-type", request.url.endsWith(".js") ? "text/javascript" : "text/html");
  if (request.url === "/never.js") return;
  if (request.url === "/late.js") return void setTimeout(() => response.end("document.body.style.background='rgb(1,2,250)'"), 700);
  if (request.url === "/late") return response.end(page('<script src="/late.js"></script>'));
  if (request.url === "/waits") return response.end(page("<script>fetch('/never.js')</script>"));
  if (request.url === "/logs") return response.end(page("<script>console.log('one'); setTimeout(() => { throw new Error('two') }, 900)</script>"));
  response.end(page(""));
}).listen(port, () => console.log("serving on " + port));
`;

type Look = {
  readonly text: string;
  readonly isError: boolean;
  readonly pixel: readonly number[] | null;
  readonly size: string;
};

async function openStudio(files: Readonly<Record<string, string>> = {}) {
  const bench = await openWorkbench({ sees: true, browser, files: { "server.cjs": SERVER, ...files } });
  const shoot = async (input: unknown): Promise<Look> => {
    const { observations } = await bench.dispatch([["screenshot", input]]);
    const [{ text = "", isError = true, images = [] } = {}] = observations;
    const bytes = images[0] ? Buffer.from(images[0].base64, "base64") : null;
    const size = images.map(({ mediaType, width, height }) => `${mediaType} ${width}x${height}`).join();
    return { text, isError, pixel: bytes && pixelAt(bytes, 5, 5), size };
  };
  return { bench, shoot, [Symbol.asyncDispose]: () => bench[Symbol.asyncDispose]() };
}

async function processes(): Promise<string> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
  return lines.join("\n");
}

test.skipIf(browser === null)(
  "a page of a server is shown as it looks, and nothing of both is left",
  { timeout: 60_000 },
  async () => {
    await using studio = await openStudio();
    const port = 18_000 + (process.pid % 1000);
    const look = await studio.shoot({
      url: `http://localhost:${port}/`,
      server: `node server.cjs ${port}`,
      width: 320,
      height: 240,
    });
    expect(look).toEqual({
      text: "[image/png of 320 x 240 pixels]",
      isError: false,
      pixel: [12, 200, 34],
      size: "image/png 320x240",
    });
    const left = await processes();
    expect([left.includes(`server.cjs\0${port}`), left.includes("--screenshot=")]).toEqual([false, false]);
  },
);

test.skipIf(browser === null)(
  "what comes late is waited for, and what the page logged is told",
  { timeout: 120_000 },
  async () => {
    await using studio = await openStudio();
    const server = "node server.cjs 3000";
    expect(await studio.shoot({ url: "localhost:3000/late", server })).toMatchObject({
      pixel: [1, 2, 250],
      size: "image/png 1280x800",
    });
    const { text } = await studio.shoot({ url: "http://127.0.0.1:3000/logs", server });
    expect(text).toMatch(/The page logged:\n"one", source: .*\n"Uncaught Error: two", source: /);
  },
);

test.skipIf(browser === null)(
  "a page that waits for an answer for ever is shown as it is",
  { timeout: 120_000 },
  async () => {
    await using studio = await openStudio();
    const look = await studio.shoot({ url: "http://localhost:3000/waits", server: "node server.cjs 3000" });
    expect(look).toMatchObject({ isError: false, pixel: [12, 200, 34] });
  },
);

test.skipIf(browser === null)("a file is shown without a server, whatever its name", { timeout: 60_000 }, async () => {
  const html = '<body style="background:rgb(9,8,70)">';
  await using studio = await openStudio({ "out/a page #1%.html": html });
  expect(await studio.shoot({ url: "out/a page #1%.html" })).toMatchObject({ isError: false, pixel: [9, 8, 70] });
  expect(await studio.shoot({ url: "/workspace/out/a page #1%.html" })).toMatchObject({
    text: "[image/png of 1280 x 800 pixels, the same as one that you were shown before]",
    isError: false,
  });
});

test.skipIf(browser === null)(
  "what went wrong is told so that the next call can be right",
  { timeout: 120_000 },
  async () => {
    await using studio = await openStudio();
    const say = async (input: unknown) => {
      const { text, isError } = await studio.shoot(input);
      return `${isError ? "error" : "ok"}: ${text}`;
    };
    expect(await say({ url: "http://localhost:3000/" })).toBe(
      "error: Nothing runs between two calls: give the command that serves the page as `server`.",
    );
    expect(await say({ url: "http://localhost:3000/", server: "echo no such thing; exit 7" })).toBe(
      "error: The server ended with exit status 7 before it listened on port 3000.\nThe server said:\nno such thing",
    );
    expect(await say({ url: "missing.html" })).toBe("error: There is no file missing.html.");
    expect(await say({ url: "index.html", server: "npm start" })).toContain("url must tell the port");
    expect(await say({ url: "ftp://example.com/" })).toContain("must be http, https or the path");
    expect(await say({ url: "https://example.com/" })).toBe("error: The browser could not load https://example.com/.");
    expect(await say({ url: "file:///workspace/100%.html" })).toContain("holds a % that begins no escape");
    expect(await say({ url: "http://localhost:3000/", server: "x".repeat(200_000) })).toContain("error: No picture: ");
    expect(await say({ url: "http://localhost:3000/", server: "echo a\0b" })).toContain("error: No picture: ");
    expect(await say({ url: "a.html", width: 4000 })).toContain("Wrong arguments for screenshot");
  },
);

test.skipIf(browser === null)(
  "a review looks at a page in a workspace it cannot write",
  { timeout: 60_000 },
  async () => {
    await using studio = await openStudio({ "a.html": '<body style="background:rgb(1,1,99)">' });
    const opening = { workspaceDir: studio.bench.dir, readOnlyPaths: [], isReadOnly: true, limits: SANDBOX_LIMITS };
    await using session = await bubblewrapSandbox({ tools: [], binaries: [] }).open(opening);
    const album = openAlbum();
    const tool = screenshotTool({ session, album, browser: browser ?? "" });
    expect((await tool.run({ url: "a.html" }, never)).images).toHaveLength(1);
  },
);

test.skipIf(browser === null)("a font is chosen by its kind", { timeout: 60_000 }, async () => {
  const html = `<body><span id="a">iiii</span><br><span id="b">MMMM</span><style>span { font-family: monospace }</style><script>
    const width = (id) => document.getElementById(id).getBoundingClientRect().width;
    document.body.style.background = width("a") === width("b") ? "rgb(0,90,0)" : "rgb(90,0,0)";
  </script>`;
  await using studio = await openStudio({ "mono.html": html });
  expect((await studio.shoot({ url: "mono.html" })).pixel).toEqual([0, 90, 0]);
});

test.skipIf(browser === null)(
  "a page beyond the sandbox is reached by the list of hosts alone",
  { timeout: 60_000 },
  async () => {
    const page = '<body style="background:rgb(44,5,6)">';
    const answer: RequestListener = (_, response) => void response.setHeader("content-type", "text/html").end(page);
    await using internet = await openInternet({ "cdn.example.com": [["104.16.1.34"]] }, answer);
    await using studio = await openStudio();
    const egress = { hosts: ["cdn.example.com"], bytesMax: 1e6, network: internet.network, onDecision: () => {} };
    const opening = {
      workspaceDir: studio.bench.dir,
      readOnlyPaths: [],
      isReadOnly: true,
      limits: SANDBOX_LIMITS,
      egress,
    };
    await using session = await bubblewrapSandbox(TOOLS).open(opening);
    const tool = screenshotTool({ session, album: openAlbum(), browser: browser ?? "" });
    const { images = [] } = await tool.run({ url: "http://cdn.example.com/" }, never);
    expect(pixelAt(Buffer.from(images[0]?.base64 ?? "", "base64"), 5, 5)).toEqual([44, 5, 6]);
  },
);

test("where the sandbox shows the host's programs, the browser that it would find is found without opening it", async () => {
  const exec = () => Promise.reject(new Error("it was opened"));
  const unopened = { exec, [Symbol.asyncDispose]: async () => {} };
  expect(await findBrowserOnce({ driver: "bubblewrap" }, [])(unopened, never)).toBe(browser);
  await expect(findBrowserOnce({ driver: "container" }, [])(unopened, never)).rejects.toThrow("it was opened");
});

test("a sandbox without a browser says so", async () => {
  await using bench = await openWorkbench();
  const none = { ...bench.session, exec: bench.session.exec.bind(bench.session) };
  expect([null, browser]).toContain(await findBrowser(none, never));
  expect(bench.toolset.specs.map(({ name }) => name)).not.toContain("screenshot");
});
