import { expect, test } from "vitest";
import { HOST_DRIVER_CONSENT, readSettings, requireGitHub } from "../src/settings.ts";

test("nothing set gives defaults, and empty variables count as nothing", () => {
  const settings = readSettings({ PORT: "", DATABASE_URL: "", APP_ID: "" });
  expect(settings).toMatchObject({
    port: 3000,
    databaseUrl: null,
    github: null,
    sandboxDriver: "bubblewrap",
    label: "agent",
  });
  expect(settings.limits).toEqual({ turnsMax: 100, wallMsMax: 30 * 60_000, usdMax: 5 });
});

test("the container sandbox has an image, an engine on this machine, and a runtime where one is named", () => {
  const chosen = { PULLWRIGHT_SANDBOX: "container", PULLWRIGHT_SANDBOX_IMAGE: "ghcr.io/acme/build@sha256:0123" };
  const image = chosen.PULLWRIGHT_SANDBOX_IMAGE;
  expect(readSettings(chosen).sandboxContainer).toEqual({ image, runtime: null, socketPath: "/var/run/docker.sock" });
  const host = { DOCKER_HOST: "unix:///run/podman/podman.sock", PULLWRIGHT_SANDBOX_RUNTIME: "runsc" };
  expect(readSettings({ ...chosen, ...host }).sandboxContainer).toEqual({
    ...{ image, runtime: "runsc", socketPath: "/run/podman/podman.sock" },
  });
  expect(readSettings({ PULLWRIGHT_SANDBOX_IMAGE: image }).sandboxContainer).toBeNull();
});

test.each([
  [{ PORT: "high" }, "PORT"],
  [{ DATABASE_URL: "mysql://x" }, "DATABASE_URL: must start with postgres://"],
  [{ PULLWRIGHT_MODEL: "opus" }, "PULLWRIGHT_MODEL: must look like provider/model"],
  [{ PULLWRIGHT_USD_MAX: "-1" }, "PULLWRIGHT_USD_MAX"],
  [{ PULLWRIGHT_KEEP_DAYS: "3" }, "PULLWRIGHT_KEEP_DAYS"],
  [
    { APP_ID: "1", WEBHOOK_SECRET: "s", PRIVATE_KEY: "k", GITHUB_API_URL: "http://ghe.example.com/api/v3" },
    "must be https",
  ],
  [{ PULLWRIGHT_ALERT_URL: "hooks.example.com/x" }, "PULLWRIGHT_ALERT_URL"],
  [{ PULLWRIGHT_ALERT_URL: "http://hooks.example.com/x" }, "PULLWRIGHT_ALERT_URL must be https"],
  [{ PULLWRIGHT_ALERT_URL: "http://127.example.com/x" }, "PULLWRIGHT_ALERT_URL must be https"],
  [{ PULLWRIGHT_SETUP_ENV: "NPM TOKEN" }, "PULLWRIGHT_SETUP_ENV: must be names"],
  [{ PULLWRIGHT_SANDBOX: "container" }, "needs PULLWRIGHT_SANDBOX_IMAGE"],
  [{ PULLWRIGHT_SANDBOX: "container", PULLWRIGHT_SANDBOX_IMAGE: "a b" }, "PULLWRIGHT_SANDBOX_IMAGE: must be an image"],
  [
    { PULLWRIGHT_SANDBOX: "container", PULLWRIGHT_SANDBOX_IMAGE: "a", DOCKER_HOST: "tcp://10.0.0.1:2375" },
    "DOCKER_HOST=tcp://10.0.0.1:2375 cannot be used",
  ],
  [{ PULLWRIGHT_SETUP_ENV: "NPM_TOKEN" }, "names NPM_TOKEN, which is not set"],
  [{ PULLWRIGHT_SETUP_ENV: "NPM_TOKEN", NPM_TOKEN: "short" }, "names NPM_TOKEN, which is not set, shorter than 8"],
  [{ PULLWRIGHT_SETUP_ENV: "ANTHROPIC_API_KEY", ANTHROPIC_API_KEY: "sk-ant-x-0123456789" }, "is Pullwright's own"],
  [{ APP_ID: "1", WEBHOOK_SECRET: "s", PRIVATE_KEY_PATH: "/nonexistent/key.pem" }, "PRIVATE_KEY_PATH cannot be read"],
])("%j is refused by name", (env, message) => {
  expect(() => readSettings(env)).toThrow(message);
});

test.each([["https://hooks.example.com/x"], ["http://localhost:9/x"], ["http://127.0.0.1:9/x"], ["http://[::1]:9/x"]])(
  "alerts may go to %s",
  (url) => {
    expect(readSettings({ PULLWRIGHT_ALERT_URL: url }).alertUrl).toBe(url);
  },
);

test("a set-up gets the variables that are named for it, and no others", () => {
  const env = { PULLWRIGHT_SETUP_ENV: "NPM_TOKEN,PIP_TOKEN", NPM_TOKEN: "npm-0123456789", PIP_TOKEN: "pip-0123456789" };
  const { setUpSecrets } = readSettings({ ...env, OTHER_TOKEN: "other-0123456789" });
  expect(setUpSecrets).toEqual({ NPM_TOKEN: "npm-0123456789", PIP_TOKEN: "pip-0123456789" });
});

test("what is kept for how long, and how much room caches take, can be set", () => {
  const env = { PULLWRIGHT_KEEP_DAYS: "7", PULLWRIGHT_KEEP_WORK_DAYS: "0.5", PULLWRIGHT_MIRRORS_GB: "2" };
  const { keep, mirrorBytesMax, setUpBytesMax, graceMs } = readSettings(env);
  const day = 86_400_000;
  expect(keep).toEqual({ taskMs: 7 * day, workMs: day / 2, replyMs: 30 * day });
  expect({ mirrorBytesMax, setUpBytesMax, graceMs }).toEqual({
    ...{ mirrorBytesMax: 2 * 1024 ** 3, setUpBytesMax: 20 * 1024 ** 3, graceMs: 20_000 },
  });
  expect(readSettings({}).mirrorBytesMax).toBe(null);
});

test("every mistake is told at once", () => {
  expect(() => readSettings({ PORT: "x", PULLWRIGHT_LOG: "loud" })).toThrow(/PORT[^]*PULLWRIGHT_LOG/);
});

test("the driver without isolation needs its frightening sentence word for word", () => {
  expect(() => readSettings({ PULLWRIGHT_SANDBOX: "host" })).toThrow("with all your rights and secrets");
  expect(() => readSettings({ PULLWRIGHT_SANDBOX: "host", PULLWRIGHT_NO_SANDBOX: "yes" })).toThrow(HOST_DRIVER_CONSENT);
  expect(readSettings({ PULLWRIGHT_SANDBOX: "host", PULLWRIGHT_NO_SANDBOX: HOST_DRIVER_CONSENT }).sandboxDriver).toBe(
    "host",
  );
});

test("without a webhook secret the App's settings are not there", () => {
  expect(() => requireGitHub(readSettings({ APP_ID: "1", PRIVATE_KEY: "k" }))).toThrow("WEBHOOK_SECRET");
});

test("a private key in one line gets its line breaks back", () => {
  const { github } = readSettings({ APP_ID: "1", PRIVATE_KEY: "-----BEGIN\\nX\\n-----END", WEBHOOK_SECRET: "s" });
  expect(github?.privateKey).toBe("-----BEGIN\nX\n-----END");
});
