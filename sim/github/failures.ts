/** Failures a test asks for: the next requests that fit are answered so, or lose their connection. */

export type PlannedFailure = {
  readonly method?: string;
  /** Tried on the path as asked, such as "/api/v3/repos/o/r/issues" or "/o/r.git/git-receive-pack". */
  readonly path: RegExp;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly times?: number;
  readonly dropConnection?: boolean;
  /** "after": GitHub does what was asked, and only the answer is lost. For git that is always a dropped connection. */
  readonly when?: "before" | "after";
};

export type Failure = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
  readonly dropConnection: boolean;
  readonly when: "before" | "after";
};

/** Something that happens in between: `act` ends before the request that fits is looked at. */
export type Interlude = { readonly method?: string; readonly path: RegExp; readonly act: () => Promise<unknown> };

export class Failures {
  readonly #interludes: Interlude[] = [];
  #planned: { readonly plan: PlannedFailure; left: number }[] = [];

  add(plan: PlannedFailure): void {
    this.#planned.push({ plan, left: plan.times ?? 1 });
  }

  addInterlude(interlude: Interlude): void {
    this.#interludes.push(interlude);
  }

  /** Plays what was to happen before this request, once. */
  async playInterlude(method: string, path: string): Promise<void> {
    const at = this.#interludes.findIndex(
      (one) => (one.method ?? method).toUpperCase() === method && one.path.test(path),
    );
    const [interlude] = at < 0 ? [] : this.#interludes.splice(at, 1);
    await interlude?.act();
  }

  /** The failure this request is to have, used up by one. */
  take(method: string, path: string): Failure | null {
    const entry = this.#planned.find(
      ({ plan, left }) => left > 0 && (plan.method ?? method).toUpperCase() === method && plan.path.test(path),
    );
    if (!entry) return null;
    entry.left -= 1;
    const { plan } = entry;
    return {
      status: plan.status ?? 500,
      headers: plan.headers ?? {},
      body: plan.body ?? { message: "Server Error" },
      dropConnection: plan.dropConnection ?? false,
      when: plan.when ?? "before",
    };
  }
}
