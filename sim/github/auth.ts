/** Who is asking: the App by its signed JWT, an installation or a person by token, or nobody. */
import { createPublicKey, verify } from "node:crypto";
import { z } from "zod";
import type { Account } from "./records.ts";
import { GitHubError } from "./reply.ts";
import type { Sim, Token } from "./sim.ts";

export type Actor = { readonly kind: "app" } | { readonly kind: "nobody" } | Token;

/** GitHub allows ten minutes from now, and clocks that differ by up to a minute. */
const JWT_LIFE_S = 600;
const CLOCK_SKEW_S = 60;

/** From an Authorization header; throws GitHub's 401. */
export function readActor(sim: Sim, authorization: string | undefined): Actor {
  if (!authorization) return { kind: "nobody" };
  const [scheme = "", rest = ""] = authorization.split(/\s+/, 2);
  switch (scheme.toLowerCase()) {
    case "bearer":
    case "token":
      return rest.split(".").length === 3 ? verifyJwt(sim, rest) : readToken(sim, rest);
    case "basic":
      return readToken(sim, readBasicPassword(rest));
    default:
      throw badCredentials();
  }
}

/** Any user name will do; the token is the password. */
export function readBasicPassword(encoded: string): string {
  const text = Buffer.from(encoded, "base64").toString("utf8");
  return text.slice(text.indexOf(":") + 1);
}

/** Whose name a write carries. */
export function authorOf(sim: Sim, actor: Actor): Account {
  switch (actor.kind) {
    case "person":
      return actor.user;
    case "installation":
    case "app":
      return sim.app.bot;
    case "nobody":
      throw new GitHubError(401, "Requires authentication");
  }
}

export function nameOf(sim: Sim, actor: Actor): string {
  if (actor.kind === "nobody") return "anonymous";
  return actor.kind === "app" ? `app ${sim.app.slug}` : authorOf(sim, actor).login;
}

function readToken(sim: Sim, text: string): Actor {
  const token = sim.tokens.get(text);
  if (!token) throw badCredentials();
  if (token.kind === "installation" && token.expiresAt <= sim.now()) throw badCredentials();
  return token;
}

function badCredentials(): GitHubError {
  return new GitHubError(401, "Bad credentials");
}

const Header = z.object({ alg: z.literal("RS256") });
const Claims = z.object({ iat: z.number().int(), exp: z.number().int(), iss: z.union([z.string(), z.number()]) });

/** The messages are GitHub's: @octokit/auth-app reads them to correct a wrong clock. */
function verifyJwt(sim: Sim, jwt: string): Actor {
  const undecodable = () => new GitHubError(401, "A JSON web token could not be decoded");
  const [head = "", body = "", signature = ""] = jwt.split(".");
  if (!Header.safeParse(decode(head)).success) throw undecodable();
  const claims = Claims.safeParse(decode(body));
  if (!claims.success) throw undecodable();
  const key = createPublicKey(sim.app.publicKey);
  if (!verify("RSA-SHA256", Buffer.from(`${head}.${body}`), key, Buffer.from(signature, "base64url")))
    throw undecodable();
  const now = sim.now() / 1000;
  const { iat, exp, iss } = claims.data;
  if (exp <= now) {
    throw new GitHubError(
      401,
      "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
    );
  }
  if (exp > now + JWT_LIFE_S + CLOCK_SKEW_S) {
    throw new GitHubError(401, "'Expiration time' claim ('exp') is too far in the future");
  }
  if (iat > now + CLOCK_SKEW_S) {
    throw new GitHubError(
      401,
      "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
    );
  }
  if (String(iss) !== String(sim.app.id)) throw new GitHubError(404, "Integration not found");
  return { kind: "app" };
}

function decode(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
