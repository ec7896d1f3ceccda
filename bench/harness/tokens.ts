/** Tokens of a text by OpenAI's o200k vocabulary where the bench could install it, else a quarter of its bytes. Rough for Claude. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { z } from "zod";

export type Tokens = { readonly name: string; readonly count: (text: string) => number };

const Tokenizer = z.object({
  countTokens: z.custom<(text: string) => number>((value) => typeof value === "function"),
});

export async function openTokens(modules: string): Promise<Tokens> {
  const path = join(modules, "gpt-tokenizer/esm/encoding/o200k_base.js");
  if (!existsSync(path)) return remembering("bytes / 4", (text) => Buffer.byteLength(text) / 4);
  const { countTokens } = Tokenizer.parse(await import(pathToFileURL(path).href));
  return remembering("o200k", countTokens);
}

/** Most of a request was in the one before. */
function remembering(name: string, count: (text: string) => number): Tokens {
  const known = new Map<string, number>();
  return {
    name,
    count: (text) => {
      const tokens = known.get(text) ?? count(text);
      known.set(text, tokens);
      return tokens;
    },
  };
}
