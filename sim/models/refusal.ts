/** A request we will not answer, in words that both wires can send; and what is wrong with a body, read from zod's issues. */
import type { z } from "zod";

export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;
  readonly type: string | null;
  readonly code: string | null;
  readonly param: string | null;
  /** Extra response headers, such as retry-after. */
  readonly headers: Readonly<Record<string, string>>;
  /** Which server's way of writing errors, where a wire has several. */
  readonly shape: string | null;
  readonly detailsCode: string | null;
  constructor(
    status: number,
    message: string,
    more: {
      type?: string;
      code?: string;
      param?: string;
      shape?: string;
      detailsCode?: string;
      headers?: Record<string, string>;
    } = {},
  ) {
    super(message);
    this.status = status;
    this.type = more.type ?? null;
    this.code = more.code ?? null;
    this.param = more.param ?? null;
    this.headers = more.headers ?? {};
    this.shape = more.shape ?? null;
    this.detailsCode = more.detailsCode ?? null;
  }
}

/** The script asked for what this request cannot carry: a mistake of the script, so no client should try again. */
export const scriptRefusal = (message: string): Refusal =>
  new Refusal(500, `sim/models: ${message}`, { headers: { "x-should-retry": "false" } });

export type Wrong = {
  readonly kind: "missing" | "unknown" | "invalid";
  readonly path: readonly PropertyKey[];
  readonly message: string;
};

/** The first thing wrong. Of a union's branches the one that got furthest is meant. */
export function firstWrong(error: z.ZodError): Wrong {
  const issue = error.issues[0];
  return issue ? readIssue(issue, []) : { kind: "invalid", path: [], message: "Invalid request" };
}

type Issue = z.core.$ZodIssue;

function readIssue(issue: Issue, above: readonly PropertyKey[]): Wrong {
  const path = [...above, ...issue.path];
  if (issue.code === "invalid_union" && issue.errors.length > 0) {
    const firsts = issue.errors.flatMap((branch) => branch.slice(0, 1));
    const deepest = firsts.toSorted((a, b) => depth(b) - depth(a))[0];
    if (deepest) return readIssue(deepest, path);
  }
  if (issue.code === "unrecognized_keys") {
    return { kind: "unknown", path: [...path, issue.keys[0] ?? ""], message: "Extra inputs are not permitted" };
  }
  if (issue.code === "invalid_type" && issue.input === undefined && / undefined$/.test(issue.message)) {
    return { kind: "missing", path, message: "Field required" };
  }
  return { kind: "invalid", path, message: issue.message };
}

/** A wrong type at the top says only that another branch was meant; anything else was found inside the right one. */
const depth = (issue: Issue): number => issue.path.length + (issue.code === "invalid_type" ? 0 : 1);
