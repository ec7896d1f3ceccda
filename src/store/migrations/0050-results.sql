-- What an attempt's work came to, kept before it is pushed: a git bundle that needs the base commit, and the same as a mail for `git am`.
-- What is too large for a row is null; place then says on which machine the bundle lies, and where.
CREATE TABLE pullwright.results (
  task_id uuid NOT NULL,
  attempt integer NOT NULL,
  commit_sha text NOT NULL,
  base_sha text NOT NULL,
  bundle bytea,
  bundle_bytes bigint NOT NULL,
  patch bytea,
  patch_bytes bigint NOT NULL,
  place text,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (task_id, attempt),
  FOREIGN KEY (task_id, attempt) REFERENCES pullwright.runs (task_id, attempt) ON DELETE CASCADE,
  CHECK ((bundle IS NULL) = (place IS NOT NULL))
);
-- Bundles are compressed already.
ALTER TABLE pullwright.results ALTER COLUMN bundle SET STORAGE EXTERNAL;
