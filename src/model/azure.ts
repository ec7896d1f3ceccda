/** OpenAI's models in Azure: the adapter of the Responses API with Azure's client. A model is named by its deployment. */
import { AzureOpenAI } from "openai";
import type { ModelSettings } from "../model-settings.ts";
import type { Model, ModelFacts } from "./model.ts";
import { clientOptions, responsesModel } from "./openai.ts";

export type AzureModel = {
  readonly account: NonNullable<ModelSettings["azure"]>;
  readonly deployment: string;
  readonly facts: ModelFacts;
  readonly idleMsMax?: number;
};

export function azureModel({ account, deployment, ...rest }: AzureModel): Model {
  const { apiKey, endpoint, apiVersion } = account;
  // Azure's v1 API goes by "preview" or "latest"; versions that are dates have the older path.
  const path = /^\d{4}-/.test(apiVersion) ? "/openai" : "/openai/v1";
  const baseURL = endpoint.replace(/\/+$/, "") + path;
  const client = new AzureOpenAI({ ...clientOptions(rest.idleMsMax), apiKey, apiVersion, baseURL });
  const id = `azure/${deployment}`;
  return responsesModel(client, { ...rest, id, name: deployment, boundTo: id });
}
