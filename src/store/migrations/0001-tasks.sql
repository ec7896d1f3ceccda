CREATE SCHEMA IF NOT EXISTS pullwright;

CREATE TABLE pullwright.migrations (
  version integer PRIMARY KEY,
  name text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
);

-- One row per delivery of GitHub's, whatever became of it. The guid makes a redelivery harmless.
CREATE TABLE pullwright.deliveries (
  guid text PRIMARY KEY,
  event text NOT NULL,
  received_at timestamptz NOT NULL,
  repo text,
  decision text NOT NULL,
  reason text NOT NULL,
  task_id uuid
);
CREATE INDEX deliveries_received_at ON pullwright.deliveries (received_at DESC);

-- json, not jsonb, wherever a value must come back as it went in: jsonb refuses \u0000 and lone surrogates, and reorders keys,
-- which would change the bytes of a rebuilt transcript and so miss the vendors' prompt caches.
CREATE TABLE pullwright.tasks (
  id uuid PRIMARY KEY,
  key text NOT NULL UNIQUE,
  goal text NOT NULL,
  state text NOT NULL DEFAULT 'queued',
  attempt integer NOT NULL DEFAULT 0,
  request json NOT NULL,
  installation_id bigint NOT NULL,
  repo_id bigint NOT NULL,
  thread_number integer NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  started_at timestamptz,
  finished_at timestamptz
);
CREATE INDEX tasks_created_at ON pullwright.tasks (created_at DESC);
CREATE INDEX tasks_state ON pullwright.tasks (state, created_at DESC);
CREATE INDEX tasks_thread ON pullwright.tasks (repo_id, thread_number);

-- One row per attempt. The id is short, for people: `pullwright show 3f2a9c1b77de-1`. Two that are alike cannot both be found by it.
CREATE TABLE pullwright.runs (
  id text NOT NULL,
  task_id uuid NOT NULL REFERENCES pullwright.tasks ON DELETE CASCADE,
  attempt integer NOT NULL,
  state text NOT NULL DEFAULT 'running',
  started_at timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz,
  PRIMARY KEY (task_id, attempt)
);
CREATE INDEX runs_id ON pullwright.runs (id text_pattern_ops);
CREATE INDEX runs_started_at ON pullwright.runs (started_at DESC);

CREATE TABLE pullwright.journal (
  task_id uuid NOT NULL,
  attempt integer NOT NULL,
  seq integer NOT NULL,
  at timestamptz NOT NULL,
  kind text NOT NULL,
  entry json NOT NULL,
  PRIMARY KEY (task_id, attempt, seq),
  FOREIGN KEY (task_id, attempt) REFERENCES pullwright.runs (task_id, attempt) ON DELETE CASCADE
);

-- What we mean to say or do on the forge, and what it became. A row that stays 'intended' is looked up there before it is done again.
CREATE TABLE pullwright.publications (
  task_id uuid NOT NULL REFERENCES pullwright.tasks ON DELETE CASCADE,
  role text NOT NULL,
  state text NOT NULL,
  attempt integer NOT NULL,
  intent json NOT NULL,
  ref text,
  url text,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (task_id, role),
  CHECK (state = 'intended' OR (state = 'done' AND ref IS NOT NULL AND url IS NOT NULL))
);

-- Every model call, as charged. It outlives its task: retention of tasks must not change what was spent this month.
CREATE TABLE pullwright.ledger (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  task_id uuid NOT NULL,
  attempt integer NOT NULL,
  turn integer NOT NULL,
  model text NOT NULL,
  input_tokens integer NOT NULL,
  cached_read_tokens integer NOT NULL,
  cache_write_tokens integer NOT NULL,
  output_tokens integer NOT NULL,
  reasoning_tokens integer NOT NULL,
  cost_usd numeric(12, 6) NOT NULL,
  at timestamptz NOT NULL,
  installation_id bigint NOT NULL,
  repo_id bigint NOT NULL
);
CREATE INDEX ledger_task ON pullwright.ledger (task_id);
CREATE INDEX ledger_at ON pullwright.ledger (at, installation_id, repo_id);
