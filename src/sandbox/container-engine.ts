/**
 * The only file that speaks to a container engine (Docker Engine API 1.41 or newer; Docker, or podman's service). Whoever reaches the
 * engine's socket is root on this machine, so nothing here is ever shown to a sandbox.
 */
import { Duplex } from "node:stream";
import type Dockerode from "dockerode";
import { z } from "zod";
import { TransientError, UserError } from "../failure.ts";
import type { ContainerPlan } from "./container-plan.ts";
import { CONTAINER_REMEDIES } from "./container-remedies.ts";
import { hasCode } from "./process-tree.ts";

export type EngineFacts = {
  readonly version: string;
  readonly apiVersion: string;
  readonly runtimes: readonly string[];
  readonly hasSeccomp: boolean;
  /** Podman's service wants a filter as a file. */
  readonly isPodman: boolean;
  /** The engine runs as an ordinary user: that user is uid 0 inside, and no uid inside is another one that we could name. */
  readonly isRootless: boolean;
  readonly limitsMemory: boolean;
  readonly limitsProcesses: boolean;
  readonly cpus: number;
};

export type ImageFacts = {
  readonly id: string;
  /** NAME=value. */
  readonly environment: readonly string[];
  readonly volumes: readonly string[];
};

export type ExecPlan = {
  readonly argv: readonly string[];
  /** NAME=value. */
  readonly environment: readonly string[];
  /** uid:gid. */
  readonly user: string;
};

/** A busy disk makes an engine slow; one that says nothing for so long says nothing. */
const ANSWER_MS_MAX = 60_000;

const Version = z.object({
  ...{ Version: z.string(), ApiVersion: z.string() },
  Components: z.array(z.object({ Name: z.string() })).nullish(),
});
const About = z.object({
  Runtimes: z.record(z.string(), z.unknown()).nullish(),
  SecurityOptions: z.array(z.string()).nullish(),
  MemoryLimit: z.boolean().default(false),
  PidsLimit: z.boolean().default(false),
  NCPU: z.number().default(1),
});
const Image = z.object({
  Id: z.string(),
  Config: z
    .object({ Env: z.array(z.string()).nullish(), Volumes: z.record(z.string(), z.unknown()).nullish() })
    .nullish(),
});
const ExecState = z.object({ Running: z.boolean(), ExitCode: z.number().nullish(), Pid: z.number().nullish() });
const Listed = z.array(z.object({ Id: z.string(), Labels: z.record(z.string(), z.string()).nullish() }));
const Exited = z.object({ StatusCode: z.number() });
const State = z.object({ State: z.object({ Pid: z.number() }) });

export class Engine {
  readonly #docker: Dockerode;

  private constructor(docker: Dockerode) {
    this.#docker = docker;
  }

  /** Loads the client: half a second and 30 MB that nobody else pays for. Nothing is asked yet. */
  static async open(socketPath: string): Promise<Engine> {
    const { default: Docker } = await import("dockerode");
    return new Engine(new Docker({ socketPath, protocol: "http" }));
  }

  async readFacts(): Promise<EngineFacts> {
    const [version, info] = await Promise.all([
      ask("version", this.#docker.version()).then((said) => Version.parse(said)),
      ask("info", this.#docker.info()).then((said) => About.parse(said)),
    ]);
    const security = info.SecurityOptions ?? [];
    return {
      version: version.Version,
      apiVersion: version.ApiVersion,
      runtimes: Object.keys(info.Runtimes ?? {}),
      hasSeccomp: security.some((option) => option.includes("name=seccomp")),
      isPodman: (version.Components ?? []).some(({ Name }) => Name.startsWith("Podman")),
      isRootless: security.some((option) => option.includes("name=rootless")),
      limitsMemory: info.MemoryLimit,
      limitsProcesses: info.PidsLimit,
      cpus: info.NCPU,
    };
  }

  /** null when the engine does not have it. */
  async readImage(name: string): Promise<ImageFacts | null> {
    const said = await ask("image", orWhenGone(this.#docker.getImage(name).inspect(), null));
    if (said === null) return null;
    const { Id, Config } = Image.parse(said);
    return { id: Id, environment: Config?.Env ?? [], volumes: Object.keys(Config?.Volumes ?? {}) };
  }

  /** Made, not started. */
  async create(plan: ContainerPlan): Promise<EngineContainer> {
    return new EngineContainer(await ask("create", this.#docker.createContainer(plan)));
  }

  /** Containers that carry the label, ended ones too. */
  async list(label: string): Promise<readonly { readonly labels: Record<string, string>; remove(): Promise<void> }[]> {
    const filters = { label: [label] };
    const found = Listed.parse(await ask("list", this.#docker.listContainers({ all: true, filters })));
    return found.map(({ Id, Labels }) => ({
      labels: Labels ?? {},
      remove: () => new EngineContainer(this.#docker.getContainer(Id)).remove(),
    }));
  }
}

export class EngineContainer {
  readonly #container: Dockerode.Container;

  constructor(container: Dockerode.Container) {
    this.#container = container;
  }

  /** Input and output of process 1. Its input ends with the connection. */
  async attach(): Promise<Duplex> {
    const options = { stream: true, stdin: true, stdout: true, stderr: true, hijack: true };
    return connect("attach", (abortSignal) => this.#container.attach({ ...options, abortSignal }));
  }

  async start(): Promise<void> {
    await ask("start", this.#container.start());
  }

  /** Resolves when process 1 has ended, and with it everything inside: its exit status, null when the engine cannot say. */
  async exited(): Promise<number | null> {
    return await this.#container.wait({ condition: "next-exit" }).then(
      (said) => Exited.parse(said).StatusCode,
      () => null, // Gone, or the engine is.
    );
  }

  /** Process 1 as this machine numbers it. */
  async pid(): Promise<number> {
    return State.parse(await ask("inspect", this.#container.inspect())).State.Pid;
  }

  async exec({ argv, environment, user }: ExecPlan): Promise<EngineExec> {
    const output = { AttachStdout: true, AttachStderr: true };
    const plan = { Cmd: [...argv], Env: [...environment], User: user, WorkingDir: "/", ...output };
    const exec = await ask("exec", this.#container.exec(plan));
    const options = { hijack: true, stdin: false };
    return new EngineExec(exec, await connect("exec", (abortSignal) => exec.start({ ...options, abortSignal })));
  }

  /** SIGKILL for process 1. */
  async kill(): Promise<void> {
    await ask("kill", orWhenGone(this.#container.kill(), null));
  }

  async remove(): Promise<void> {
    await ask("remove", orWhenGone(this.#container.remove({ force: true, v: true }), null));
  }

  async exists(): Promise<boolean> {
    return (await ask("inspect", orWhenGone(this.#container.inspect(), null))) !== null;
  }
}

export class EngineExec {
  readonly stream: Duplex;
  readonly #exec: Dockerode.Exec;

  constructor(exec: Dockerode.Exec, stream: Duplex) {
    this.#exec = exec;
    this.stream = stream;
  }

  /** Exit status, null while it runs or when it is gone with its container; and its first process as this machine numbers it. */
  async inspect(): Promise<{ readonly code: number | null; readonly pid: number | null }> {
    const said = await ask("exec", orWhenGone(this.#exec.inspect(), null));
    if (said === null) return { code: null, pid: null };
    const { Running, ExitCode, Pid } = ExecState.parse(said);
    return { code: Running ? null : (ExitCode ?? null), pid: Pid || null };
  }
}

/** The client keeps a connection whose request was refused, and with it the process alive, unless it is told that nobody waits. */
async function connect(what: string, open: (signal: AbortSignal) => Promise<unknown>): Promise<Duplex> {
  const refused = new AbortController();
  try {
    const stream = await ask(what, open(refused.signal));
    if (stream instanceof Duplex) return stream;
    throw new Error("The container engine did not open a connection both ways.");
  } catch (error) {
    refused.abort();
    throw error;
  }
}

/** 404 is gone, 409 is going or ended already; podman says 500 where it goes meanwhile. */
async function orWhenGone<T, U>(answer: Promise<T>, instead: U): Promise<T | U> {
  try {
    return await answer;
  } catch (error) {
    if ([404, 409].includes(statusOf(error)) || /no such container/.test(String(error))) return instead;
    throw error;
  }
}

/** UserError when the engine cannot be reached or a thing must be pulled or installed first, TransientError when it refuses. */
async function ask<T>(what: string, answer: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.reject(new TransientError(`The container engine did not answer within ${ANSWER_MS_MAX} ms (${what}).`));
  }, ANSWER_MS_MAX);
  try {
    return await Promise.race([answer, late.promise]);
  } catch (error) {
    throw readError(what, error);
  } finally {
    clearTimeout(timer);
  }
}

function readError(what: string, error: unknown): unknown {
  const unreachable = ["ENOENT", "ECONNREFUSED", "EACCES", "EPERM", "ENOTSOCK"];
  if (unreachable.some((code) => hasCode(error, code))) {
    return new UserError(`The container engine cannot be reached. ${CONTAINER_REMEDIES.engine}`, { cause: error });
  }
  const said = error instanceof Error ? error.message.trim().slice(0, 1000) : "";
  if (/[Uu]nknown runtime|unknown or invalid runtime|runtime .*not found/.test(said))
    return new UserError(`The container engine says: ${said}. ${CONTAINER_REMEDIES.runtime}`, { cause: error });
  if (/\/bin\/bash.*no such file/.test(said))
    return new UserError(`The sandbox image has no /bin/bash. ${CONTAINER_REMEDIES.programs}`, { cause: error });
  if (/bind source path does not exist/.test(said))
    return new UserError(`The container engine says: ${said}. ${CONTAINER_REMEDIES.files}`, { cause: error });
  if (statusOf(error) === 0 && !(error instanceof Error && "code" in error)) return error;
  return new TransientError(`The container engine did not do as asked (${what}): ${said}`, { cause: error });
}

function statusOf(error: unknown): number {
  return error instanceof Error && "statusCode" in error ? Number(error.statusCode) : 0;
}
