/** The system prompt: one text for every repository, so that vendors can cache it across runs. What differs goes into the brief. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { unreachable } from "../failure.ts";

export type Role = "author" | "reviewer";

export type SystemPrompt = {
  readonly text: string;
  /** First 12 hex digits of SHA-256, so that the journal says which words a run was under. */
  readonly hash: string;
};

export function readSystemPrompt(role: Role): SystemPrompt {
  const text = [readPrompt("common.md"), readPrompt(fileOf(role))].join("\n\n");
  return { text, hash: createHash("sha256").update(text).digest("hex").slice(0, 12) };
}

function fileOf(role: Role): string {
  switch (role) {
    case "author":
      return "author.md";
    case "reviewer":
      return "reviewer.md";
    default:
      return unreachable(role);
  }
}

function readPrompt(name: string): string {
  return readFileSync(new URL(`./prompts/${name}`, import.meta.url), "utf8").trim();
}
