/** Whose words a text is: the label under which it stands in a brief. */
import type { Right } from "./authorize.ts";

export type Trust = "insider" | "outsider";

/** An insider can change the repository anyway. Whoever may only read it, and whoever is unknown, is an outsider. */
export function trustOf(right: Right): Trust {
  return right === "admin" || right === "write" ? "insider" : "outsider";
}
