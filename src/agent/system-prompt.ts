/** The system prompt: one text for every repository, so that vendors can cache it across runs. What differs goes into the brief. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { SubAgentRole } from "../journal.ts";

export type Role = "author" | SubAgentRole;

export type SystemPrompt = {
  readonly text: string;
  /** First 12 hex digits of SHA-256, so that the journal says which words a run was under. */
  readonly hash: string;
};

export function readSystemPrompt(role: Role): SystemPrompt {
  const text = [readPrompt("common.md"), readPrompt(`${role}.md`)].join("\n\n");
  return { text, hash: createHash("sha256").update(text).digest("hex").slice(0, 12) };
}

function readPrompt(name: string): string {
  return readFileSync(new URL(`./prompts/${name}`, import.meta.url), "utf8").trim();
}
