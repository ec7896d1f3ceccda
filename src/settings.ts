/** Environment -> Settings, parsed once. The only reader of process.env; a wrong value is a UserError that names the variable. */
import { z } from "zod";
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { containerVariables, readContainerSettings, type ContainerSettings } from "./container-settings.ts";
import { UserError } from "./failure.ts";
import { keepVariables, readKeepSettings, type KeepSettings } from "./keep-settings.ts";
import { modelVariables, readModelSettings, type ModelSettings } from "./model-settings.ts";

export type { ProviderSettings } from "./model-settings.ts";

/** The sentence that must be typed to run repository code without a sandbox. It is meant to frighten. */
export const HOST_DRIVER_CONSENT = "yes-run-untrusted-code-on-this-machine-without-any-sandbox";

export type GitHubSettings = {
  readonly appId: number;
  readonly privateKey: string;
  readonly webhookSecret: string;
  /** REST root: https://api.github.com, or https://HOST/api/v3 for GitHub Enterprise Server. */
  readonly apiUrl: string;
};

export type RunLimits = { readonly turnsMax: number; readonly wallMsMax: number; readonly usdMax: number };

/** USD in a UTC day, of one repository and of one installation. */
export type DayLimits = { readonly repoUsdMax: number; readonly installationUsdMax: number };

export type Settings = ModelSettings &
  KeepSettings & {
    /** Absolute; mirrors, run workspaces and the embedded database live below it. */
    readonly dataDir: string;
    readonly databaseUrl: string | null;
    readonly host: string;
    readonly port: number;
    readonly webhookPath: string;
    readonly webhookProxyUrl: string | null;
    readonly github: GitHubSettings | null;
    /** "provider/name", or null for the first provider that has a key. */
    readonly authorModel: string | null;
    readonly reviewerModel: string | null;
    /** For looking things up; null for the author's vendor's small one. */
    readonly smallModel: string | null;
    /** Asked in this order when a model cannot go on; null for another vendor's model where there is a key. */
    readonly fallbackModels: readonly string[] | null;
    /** Whether another model looks at a change before it is published. A repository may turn it off for itself. */
    readonly secondOpinion: boolean;
    readonly label: string;
    /** Runs a worker works on at once. */
    readonly concurrency: number;
    readonly limits: RunLimits;
    readonly dayLimits: DayLimits;
    /** Where alerts and digests about money are posted; null for comments and the log. */
    readonly alertUrl: string | null;
    readonly sandboxDriver: "bubblewrap" | "container" | "host";
    /** null for the other drivers. */
    readonly sandboxContainer: ContainerSettings | null;
    /** Host folders bound read-only into the sandbox as /opt/NAME, NAME/bin on its PATH (language tool chains). */
    readonly sandboxTools: readonly string[];
    /** Variables that only a run's set-up gets, such as a private registry's token. Their values are never published or logged. */
    readonly setUpSecrets: Readonly<Record<string, string>>;
    readonly logLevel: "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";
  };

const text = z.string().trim().min(1);
const url = z.url({ protocol: /^https?$/ });
const whole = z.coerce.number().int().positive();

const MODELS = 'must be "none" or provider/model, with commas between several';

const Environment = z.object({
  APP_ID: whole.optional(),
  PRIVATE_KEY: text.optional(),
  PRIVATE_KEY_PATH: text.optional(),
  WEBHOOK_SECRET: text.optional(),
  GITHUB_API_URL: url.default("https://api.github.com"),
  WEBHOOK_PATH: text.regex(/^\//, "must start with /").default("/api/github/webhooks"),
  WEBHOOK_PROXY_URL: url.optional(),
  HOST: text.default("127.0.0.1"),
  PORT: z.coerce.number().int().min(0).max(65535).default(3000),
  DATABASE_URL: text.regex(/^postgres(ql)?:\/\//, "must start with postgres://").optional(),
  ...modelVariables,
  ...keepVariables,
  PULLWRIGHT_DATA: text.optional(),
  PULLWRIGHT_MODEL: text.regex(/^[a-z-]+\/.+$/, "must look like provider/model").optional(),
  PULLWRIGHT_REVIEWER: text.regex(/^[a-z-]+\/.+$/, "must look like provider/model").optional(),
  PULLWRIGHT_SMALL_MODEL: text.regex(/^[a-z-]+\/.+$/, "must look like provider/model").optional(),
  PULLWRIGHT_FALLBACKS: text.regex(/^none$|^[a-z-]+\/[^,]+(,[a-z-]+\/[^,]+)*$/, MODELS).optional(),
  PULLWRIGHT_SECOND_OPINION: z.enum(["on", "off"]).default("on"),
  PULLWRIGHT_LABEL: text.default("agent"),
  PULLWRIGHT_CONCURRENCY: whole.max(200).default(2),
  PULLWRIGHT_TURNS_MAX: whole.max(1000).default(100),
  PULLWRIGHT_MINUTES_MAX: z.coerce.number().positive().max(600).default(30),
  PULLWRIGHT_USD_MAX: z.coerce.number().positive().max(1000).default(5),
  PULLWRIGHT_USD_PER_DAY: z.coerce.number().positive().max(100_000).default(100),
  PULLWRIGHT_USD_PER_REPO_DAY: z.coerce.number().positive().max(100_000).default(50),
  PULLWRIGHT_ALERT_URL: url.optional(),
  PULLWRIGHT_SANDBOX: z.enum(["bubblewrap", "container", "host"]).default("bubblewrap"),
  ...containerVariables,
  PULLWRIGHT_SANDBOX_TOOLS: text.optional(),
  PULLWRIGHT_NO_SANDBOX: text.optional(),
  PULLWRIGHT_SETUP_ENV: text
    .regex(/^[A-Za-z_]\w*(,[A-Za-z_]\w*)*$/, "must be names of variables with commas between")
    .optional(),
  PULLWRIGHT_LOG: z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]).default("info"),
  XDG_DATA_HOME: text.optional(),
});

type Environment = z.infer<typeof Environment>;

/** Throws UserError naming each wrong variable. Empty variables count as unset, as compose files write them. */
export function readSettings(env: NodeJS.ProcessEnv = process.env): Settings {
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ""));
  const parsed = Environment.safeParse(present);
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => `- ${issue.path.join(".")}: ${issue.message}`);
    throw new UserError(`These settings are wrong:\n${lines.join("\n")}`);
  }
  const e = parsed.data;
  if (e.PULLWRIGHT_SANDBOX === "host" && e.PULLWRIGHT_NO_SANDBOX !== HOST_DRIVER_CONSENT) {
    throw new UserError(
      `PULLWRIGHT_SANDBOX=host runs code that strangers wrote and a model chose with all your rights and secrets. ` +
        `If that is really what you want, also set PULLWRIGHT_NO_SANDBOX=${HOST_DRIVER_CONSENT}`,
    );
  }
  return {
    dataDir: e.PULLWRIGHT_DATA ?? defaultDataDir(e),
    databaseUrl: e.DATABASE_URL ?? null,
    host: e.HOST,
    port: e.PORT,
    webhookPath: e.WEBHOOK_PATH,
    webhookProxyUrl: e.WEBHOOK_PROXY_URL ?? null,
    github: readGitHub(e),
    ...readModelSettings(e),
    ...readKeepSettings(e),
    authorModel: e.PULLWRIGHT_MODEL ?? null,
    reviewerModel: e.PULLWRIGHT_REVIEWER ?? null,
    smallModel: e.PULLWRIGHT_SMALL_MODEL ?? null,
    fallbackModels: e.PULLWRIGHT_FALLBACKS === undefined ? null : readFallbacks(e.PULLWRIGHT_FALLBACKS),
    secondOpinion: e.PULLWRIGHT_SECOND_OPINION === "on",
    label: e.PULLWRIGHT_LABEL,
    concurrency: e.PULLWRIGHT_CONCURRENCY,
    limits: {
      turnsMax: e.PULLWRIGHT_TURNS_MAX,
      wallMsMax: e.PULLWRIGHT_MINUTES_MAX * 60_000,
      usdMax: e.PULLWRIGHT_USD_MAX,
    },
    dayLimits: { repoUsdMax: e.PULLWRIGHT_USD_PER_REPO_DAY, installationUsdMax: e.PULLWRIGHT_USD_PER_DAY },
    alertUrl: readAlertUrl(e),
    sandboxDriver: e.PULLWRIGHT_SANDBOX,
    sandboxContainer: e.PULLWRIGHT_SANDBOX === "container" ? readContainerSettings(e) : null,
    sandboxTools: e.PULLWRIGHT_SANDBOX_TOOLS?.split(":").filter((path) => path !== "") ?? [],
    setUpSecrets: readSetUpSecrets(e.PULLWRIGHT_SETUP_ENV?.split(",") ?? [], present),
    logLevel: e.PULLWRIGHT_LOG,
  };
}

/** The settings without which the App cannot speak to GitHub, or a UserError that says which are missing. */
export function requireGitHub(settings: Settings): GitHubSettings {
  if (settings.github) return settings.github;
  throw new UserError(
    "Pullwright needs APP_ID, PRIVATE_KEY (or PRIVATE_KEY_PATH) and WEBHOOK_SECRET of your GitHub App. " +
      "Without a webhook secret anyone could send it events, so it does not start. The README shows how to make the App.",
  );
}

function readGitHub(e: Environment): GitHubSettings | null {
  const privateKey = e.PRIVATE_KEY ?? (e.PRIVATE_KEY_PATH ? readKeyFile(e.PRIVATE_KEY_PATH) : undefined);
  if (e.APP_ID === undefined || privateKey === undefined || e.WEBHOOK_SECRET === undefined) return null;
  const apiUrl = e.GITHUB_API_URL.replace(/\/+$/, "");
  if (travelsInTheClear(apiUrl)) {
    throw new UserError(
      "GITHUB_API_URL must be https: tokens would travel in the clear. Plain http is for loopback only.",
    );
  }
  // A key in one line with \n in it is how most dashboards store it.
  return { appId: e.APP_ID, privateKey: privateKey.replaceAll("\\n", "\n"), webhookSecret: e.WEBHOOK_SECRET, apiUrl };
}

function readAlertUrl(e: Environment): string | null {
  const alertUrl = e.PULLWRIGHT_ALERT_URL ?? null;
  if (alertUrl !== null && travelsInTheClear(alertUrl)) {
    throw new UserError(
      "PULLWRIGHT_ALERT_URL must be https: such addresses are secrets, and what is posted is nobody else's to read. " +
        "Plain http is for loopback only.",
    );
  }
  return alertUrl;
}

function travelsInTheClear(address: string): boolean {
  const { protocol, hostname } = new URL(address);
  // URL has made a dotted quad of every way to write an address; 127.example.com is a name.
  const isLoopback = hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
  return protocol === "http:" && !isLoopback;
}

/** A value shorter than this cannot be told from ordinary text, and so not be kept out of it. */
const SET_UP_SECRET_CHARS_MIN = 8;

function readSetUpSecrets(names: readonly string[], env: NodeJS.ProcessEnv): Readonly<Record<string, string>> {
  const pairs = names.map((name) => {
    if (name in Environment.shape)
      throw new UserError(`PULLWRIGHT_SETUP_ENV: ${name} is Pullwright's own and stays out of sandboxes.`);
    const value = env[name] ?? "";
    if (value.length >= SET_UP_SECRET_CHARS_MIN && !/[\n\0]/.test(value)) return [name, value] as const;
    throw new UserError(
      `PULLWRIGHT_SETUP_ENV names ${name}, which is not set, shorter than ${SET_UP_SECRET_CHARS_MIN} characters or of several lines.`,
    );
  });
  return Object.fromEntries(pairs);
}

function readFallbacks(list: string): readonly string[] {
  return list === "none" ? [] : list.split(",");
}

function readKeyFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new UserError(`PRIVATE_KEY_PATH cannot be read: ${path}`, { cause: error });
  }
}

/** Root keeps data where an unprivileged sandbox user can reach it: /root is closed to others. */
function defaultDataDir(e: Environment): string {
  if (process.getuid?.() === 0) return "/var/lib/pullwright";
  return join(e.XDG_DATA_HOME ?? join(homedir(), ".local/share"), "pullwright");
}
