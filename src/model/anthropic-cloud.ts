/**
 * Claude in Amazon Bedrock and in Google Vertex AI, through Anthropic's own packages for them: the same adapter with another client.
 * The packages are loaded when such a model is asked; credentials are found by the clouds' own chains and never pass through us.
 */
import { UserError } from "../failure.ts";
import type { ModelSettings } from "../model-settings.ts";
import { claudeModel } from "./anthropic.ts";
import type { Model, ModelFacts } from "./model.ts";

export type CloudModel<Account extends "bedrock" | "vertex"> = {
  readonly account: NonNullable<ModelSettings[Account]>;
  /** As the cloud calls the model. */
  readonly name: string;
  readonly facts: ModelFacts;
  readonly idleMsMax?: number;
};

/** The SDK would else retry by itself, and its log would print parts of the transcript. */
const QUIET = { maxRetries: 0, logLevel: "off" } as const;

/** Throws UserError when the package is not there. */
export async function bedrockModel({ account, ...rest }: CloudModel<"bedrock">): Promise<Model> {
  const { AnthropicBedrock } = await orExplain(import("@anthropic-ai/bedrock-sdk"), "@anthropic-ai/bedrock-sdk");
  const { region, baseUrl } = account;
  const baseURL = baseUrl ?? `https://bedrock-runtime.${region}.amazonaws.com`;
  const client = new AnthropicBedrock({ ...QUIET, awsRegion: region, baseURL });
  const id = `bedrock/${rest.name}`;
  return claudeModel(client, { ...rest, id, boundTo: id, asksWhyMissed: false });
}

/** Throws UserError when the package is not there. */
export async function vertexModel({ account, ...rest }: CloudModel<"vertex">): Promise<Model> {
  const { AnthropicVertex } = await orExplain(import("@anthropic-ai/vertex-sdk"), "@anthropic-ai/vertex-sdk");
  const { projectId, region, baseUrl } = account;
  const open = () =>
    new AnthropicVertex({ ...QUIET, projectId, region, ...(baseUrl === null ? {} : { baseURL: baseUrl }) });
  let client: ReturnType<typeof open> | null = null;
  const id = `vertex/${rest.name}`;
  // The client looks for credentials as soon as it is made: one that nobody asks would bring down the process when there are none.
  const onDemand = {
    get messages() {
      return (client ??= open()).messages;
    },
  };
  const model = claudeModel(onDemand, { ...rest, id, boundTo: id, asksWhyMissed: false });
  return {
    ...model,
    async reply(request, signal) {
      try {
        return await model.reply(request, signal);
      } catch (error) {
        client = null; // One that has found none finds none ever after.
        throw error;
      }
    },
  };
}

async function orExplain<T>(loading: Promise<T>, name: string): Promise<T> {
  try {
    return await loading;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND")) throw error;
    throw new UserError(
      `This model needs the optional package \`${name}\`, which is not installed. Whoever runs this App can run ` +
        `\`npm ci --omit=dev\` in its folder, without \`--omit=optional\`; then ask again.`,
      { cause: error },
    );
  }
}
