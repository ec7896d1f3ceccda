/** Settings of the container sandbox: which engine, which image. Read only where PULLWRIGHT_SANDBOX=container. */
import { z } from "zod";
import { UserError } from "./failure.ts";

export type ContainerSettings = {
  /** As `docker pull` takes it. */
  readonly image: string;
  /** A runtime the engine knows, such as runsc; null for its usual one. */
  readonly runtime: string | null;
  /** The engine's socket, on this machine: workspaces are shown to containers by their path. */
  readonly socketPath: string;
};

/** Where Docker listens unless told otherwise. */
const SOCKET = "/var/run/docker.sock";

export const containerVariables = {
  PULLWRIGHT_SANDBOX_IMAGE: z
    .string()
    .regex(/^[a-zA-Z0-9][\w./:@-]*$/, "must be an image's name, as `docker pull` takes it")
    .optional(),
  PULLWRIGHT_SANDBOX_RUNTIME: z
    .string()
    .regex(/^[\w.-]+$/, "must be a runtime's name")
    .optional(),
  DOCKER_HOST: z.string().trim().min(1).optional(),
};

type Variables = z.infer<z.ZodObject<typeof containerVariables>>;

/** Throws UserError. */
export function readContainerSettings(e: Variables): ContainerSettings {
  if (e.PULLWRIGHT_SANDBOX_IMAGE === undefined) {
    throw new UserError(
      "PULLWRIGHT_SANDBOX=container needs PULLWRIGHT_SANDBOX_IMAGE, the image that commands run in. " +
        "It needs bash, coreutils and git, and what your repositories are built with; docs/security.md tells more.",
    );
  }
  return {
    image: e.PULLWRIGHT_SANDBOX_IMAGE,
    runtime: e.PULLWRIGHT_SANDBOX_RUNTIME ?? null,
    socketPath: readSocketPath(e.DOCKER_HOST),
  };
}

function readSocketPath(host: string | undefined): string {
  if (host === undefined) return SOCKET;
  const path = /^unix:\/\/(\/.+)$/.exec(host)?.[1];
  if (path !== undefined) return path;
  throw new UserError(
    `DOCKER_HOST=${host} cannot be used: workspaces are on this machine, and so must the engine be. ` +
      "Set it to the path of a socket, such as unix:///var/run/docker.sock.",
  );
}
