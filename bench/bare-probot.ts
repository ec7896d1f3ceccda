/** The other side of bench/webhook: Probot's server with a handler that does nothing and keeps nothing. */
import { pino } from "pino";
import { Probot, Server } from "probot";

const { PRIVATE_KEY, WEBHOOK_SECRET, PORT } = process.env;
const server = new Server({
  host: "127.0.0.1",
  port: Number(PORT),
  webhookPath: "/api/github/webhooks",
  log: pino({ level: "warn" }),
  enableStaticFiles: false,
  Probot: Probot.defaults({ appId: 1, privateKey: PRIVATE_KEY ?? "", secret: WEBHOOK_SECRET ?? "" }),
});
await server.load((app) => {
  app.onAny(() => {});
});
server.addHandler((request, response) => {
  if (request.url !== "/healthz") return false;
  response.end("ok");
  return true;
});
await server.start();
process.once("SIGTERM", () => void server.stop().then(() => process.exit(0)));
