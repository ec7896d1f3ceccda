/** What happens to a repository while a run works on it: someone protects a branch, archives or deletes it, or takes a permission away. */
import type { Installation, Permissions, Repo } from "./records.ts";
import type { Sim } from "./sim.ts";

export type Controls = {
  /** Classic protection: nobody but admins pushes. `branches` may hold stars. `says` is printed to whoever is refused, before GitHub's own words. */
  protect(repository: string, branches: string, options?: { readonly says?: string }): void;
  /** A ruleset's rule of a type as the API names it, such as "update" or "creation". */
  addRule(repository: string, branches: string, type: string): void;
  /** Refuses pushes for a reason that no API tells, as a secret found in them or an enterprise's own hook. */
  refuseSilently(repository: string, branches: string): void;
  /** Nothing can be written any more, not even a comment. */
  archive(repository: string): void;
  /** Within its owner's account. */
  rename(repository: string, name: string): void;
  /** As if it had never been there. */
  remove(repository: string): void;
  /** What the App is granted from now on, in all installations. */
  grant(permissions: Permissions): void;
  suspend(owner: string): void;
};

export function createControls(sim: Sim): Controls {
  const find = (repository: string): Repo => {
    const [owner = "", name = ""] = repository.split("/");
    const repo = sim.repo(owner, name);
    if (!repo) throw new Error(`no such repository: ${repository}`);
    return repo;
  };
  return {
    protect: (repository, branches, { says = "" } = {}) => {
      find(repository).rules.push({ branches, type: "protected", says });
    },
    addRule: (repository, branches, type) => {
      find(repository).rules.push({ branches, type, says: "" });
    },
    refuseSilently: (repository, branches) => {
      find(repository).rules.push({ branches, type: "hidden", says: "" });
    },
    archive: (repository) => {
      find(repository).isArchived = true;
    },
    rename: (repository, name) => {
      const repo = find(repository);
      repo.formerNames.push(repo.fullName);
      repo.name = name;
      repo.fullName = `${repo.owner.login}/${name}`;
    },
    remove: (repository) => {
      const repo = find(repository);
      remove(sim.repos, repo);
      for (const { repos } of sim.installations) remove(repos, repo);
    },
    grant: (permissions) => {
      sim.app.permissions = permissions;
    },
    suspend: (owner) => {
      installationOf(sim, owner).suspendedAt = sim.time();
    },
  };
}

function installationOf(sim: Sim, owner: string): Installation {
  const found = sim.installations.find(({ account }) => account.login === owner);
  if (!found) throw new Error(`${owner} has no installation`);
  return found;
}

function remove<T>(list: T[], item: T): void {
  const at = list.indexOf(item);
  if (at >= 0) list.splice(at, 1);
}
