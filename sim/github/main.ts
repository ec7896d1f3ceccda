/** `npm run sim:github -- --port N --seed FILE`: one JSON line about itself on standard output, then serves until SIGTERM or SIGINT. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { startGitHub } from "./github.ts";
import { GitHubSeed } from "./seed.ts";

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "0" },
    host: { type: "string", default: "127.0.0.1" },
    seed: { type: "string" },
    dir: { type: "string" },
    "webhook-url": { type: "string" },
  },
});
if (!values.seed)
  throw new Error("usage: npm run sim:github -- --seed FILE [--port N] [--host H] [--dir DIR] [--webhook-url URL]");

const seedFile = resolve(values.seed);
const seed = GitHubSeed.parse(JSON.parse(await readFile(seedFile, "utf8")));
const github = await startGitHub({
  seed,
  seedDir: dirname(seedFile),
  port: Number(values.port),
  host: values.host,
  ...(values.dir === undefined ? {} : { dir: resolve(values.dir) }),
});
if (values["webhook-url"]) github.setWebhookUrl(values["webhook-url"]);

const keyDir = await mkdtemp(join(tmpdir(), "sim-github-key-"));
const privateKeyPath = join(keyDir, "private-key.pem");
await writeFile(privateKeyPath, github.privateKey, { mode: 0o600 });

const { url, apiUrl, appId, slug, webhookSecret } = github;
const people = seed.users.filter((user) => user.type === "User");
const tokens = Object.fromEntries(people.map(({ login }) => [login, github.tokenFor(login)]));
console.log(JSON.stringify({ url, apiUrl, appId, slug, privateKeyPath, webhookSecret, tokens }));

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    void github.close().then(() => rm(keyDir, { recursive: true, force: true }));
  });
}
