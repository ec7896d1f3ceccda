/** The variables that say which models may be asked, as whom, how fast and at what price. Read by settings.ts alone. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { UserError } from "./failure.ts";

export type ProviderSettings = { readonly apiKey: string; readonly baseUrl: string | null };

/** What a person knows better than our catalogue. Prices are dollars for a million tokens; what is left out stays as it was. */
export type ModelOverride = {
  readonly input: number;
  readonly cachedRead?: number | undefined;
  readonly cacheWrite?: number | undefined;
  readonly output: number;
  readonly contextTokensMax?: number | undefined;
  readonly outputTokensMax?: number | undefined;
  /** Whether it can be shown images. */
  readonly vision?: boolean | undefined;
};

/** Per model id, or "provider/*" for all of a provider that have no entry of their own. */
export type ModelOverrides = Readonly<Record<string, ModelOverride>>;

/** What the runs of one worker may together ask of one account in a minute; null is no limit of ours. */
export type RateLimits = {
  readonly requests: number | null;
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
};

export type ModelSettings = {
  readonly anthropic: ProviderSettings | null;
  readonly openai: ProviderSettings | null;
  /** Any server that speaks Chat Completions; most need no key. */
  readonly compatible: { readonly apiKey: string | null; readonly baseUrl: string } | null;
  /** Claude in Amazon Bedrock. Credentials come from AWS's own chain: variables, profiles, or the machine's role. */
  readonly bedrock: { readonly region: string; readonly baseUrl: string | null } | null;
  /** Claude in Google Vertex AI. Credentials are Google's application default ones. */
  readonly vertex: { readonly projectId: string; readonly region: string; readonly baseUrl: string | null } | null;
  readonly azure: { readonly apiKey: string; readonly endpoint: string; readonly apiVersion: string } | null;
  /** Whether OpenAI's models are asked for their thoughts in words, which the vendor refuses to unverified organisations. */
  readonly reasoningSummaries: boolean;
  readonly modelOverrides: ModelOverrides;
  readonly rateLimits: RateLimits;
};

const text = z.string().trim().min(1);
const url = z.url({ protocol: /^https?$/ });
const whole = z.coerce.number().int().positive();

export const modelVariables = {
  ANTHROPIC_API_KEY: text.optional(),
  ANTHROPIC_BASE_URL: url.optional(),
  OPENAI_API_KEY: text.optional(),
  OPENAI_BASE_URL: url.optional(),
  PULLWRIGHT_COMPATIBLE_URL: url.optional(),
  PULLWRIGHT_COMPATIBLE_KEY: text.optional(),
  // The names the clouds' own tools use.
  AWS_REGION: text.optional(),
  ANTHROPIC_BEDROCK_BASE_URL: url.optional(),
  ANTHROPIC_VERTEX_PROJECT_ID: text.optional(),
  ANTHROPIC_VERTEX_BASE_URL: url.optional(),
  CLOUD_ML_REGION: text.default("global"),
  AZURE_OPENAI_API_KEY: text.optional(),
  AZURE_OPENAI_ENDPOINT: url.optional(),
  OPENAI_API_VERSION: text.default("preview"),
  PULLWRIGHT_REASONING_SUMMARIES: z.enum(["on", "off"]).default("off"),
  PULLWRIGHT_PRICES: text.optional(),
  PULLWRIGHT_REQUESTS_PER_MINUTE: whole.optional(),
  PULLWRIGHT_INPUT_TOKENS_PER_MINUTE: whole.optional(),
  PULLWRIGHT_OUTPUT_TOKENS_PER_MINUTE: whole.optional(),
};

const Variables = z.object(modelVariables);

/** Throws UserError for prices that cannot be read. */
export function readModelSettings(e: z.infer<typeof Variables>): ModelSettings {
  const { ANTHROPIC_VERTEX_PROJECT_ID: projectId, AZURE_OPENAI_API_KEY: azureKey, AZURE_OPENAI_ENDPOINT: endpoint } = e;
  const compatibleUrl = e.PULLWRIGHT_COMPATIBLE_URL;
  return {
    anthropic: e.ANTHROPIC_API_KEY ? { apiKey: e.ANTHROPIC_API_KEY, baseUrl: e.ANTHROPIC_BASE_URL ?? null } : null,
    openai: e.OPENAI_API_KEY ? { apiKey: e.OPENAI_API_KEY, baseUrl: e.OPENAI_BASE_URL ?? null } : null,
    compatible: compatibleUrl ? { apiKey: e.PULLWRIGHT_COMPATIBLE_KEY ?? null, baseUrl: compatibleUrl } : null,
    bedrock: e.AWS_REGION ? { region: e.AWS_REGION, baseUrl: e.ANTHROPIC_BEDROCK_BASE_URL ?? null } : null,
    vertex: projectId ? { projectId, region: e.CLOUD_ML_REGION, baseUrl: e.ANTHROPIC_VERTEX_BASE_URL ?? null } : null,
    azure: azureKey && endpoint ? { apiKey: azureKey, endpoint, apiVersion: e.OPENAI_API_VERSION } : null,
    reasoningSummaries: e.PULLWRIGHT_REASONING_SUMMARIES === "on",
    modelOverrides: readOverrides(e.PULLWRIGHT_PRICES),
    rateLimits: {
      requests: e.PULLWRIGHT_REQUESTS_PER_MINUTE ?? null,
      inputTokens: e.PULLWRIGHT_INPUT_TOKENS_PER_MINUTE ?? null,
      outputTokens: e.PULLWRIGHT_OUTPUT_TOKENS_PER_MINUTE ?? null,
    },
  };
}

/** Every model key in force, for whoever must keep them out of what is written down. */
export function modelKeys(settings: Pick<ModelSettings, "anthropic" | "openai" | "compatible" | "azure">): string[] {
  const { anthropic, openai, compatible, azure } = settings;
  return [anthropic, openai, compatible, azure].flatMap((account) => account?.apiKey ?? []);
}

const usd = z.number().nonnegative();
const Overrides = z.record(
  z.string().regex(/^[a-z-]+\/.+$/),
  z.strictObject({
    input: usd,
    cachedRead: usd.optional(),
    cacheWrite: usd.optional(),
    output: usd,
    contextTokensMax: z.int().min(4_000).optional(),
    outputTokensMax: z.int().min(1_000).optional(),
    vision: z.boolean().optional(),
  }),
);

/** `{"provider/model": {"input": 1, "output": 5}}`, or the path of a file that holds it. */
function readOverrides(value: string | undefined): ModelOverrides {
  if (value === undefined) return {};
  const parsed = Overrides.safeParse(readJson(value.startsWith("{") ? value : readPriceFile(value)));
  if (parsed.success) return parsed.data;
  throw new UserError(`PULLWRIGHT_PRICES must map provider/model to prices:\n${z.prettifyError(parsed.error)}`);
}

function readPriceFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new UserError(`PULLWRIGHT_PRICES is neither JSON nor a file that can be read: ${path}`, { cause: error });
  }
}

function readJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UserError(`PULLWRIGHT_PRICES is not JSON: ${error.message}`, { cause: error });
  }
}
