-- What people say to a task while it is live: words for the model, or a stop. Taken once, by the run, in order.
CREATE TABLE pullwright.notes (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  task_id uuid NOT NULL REFERENCES pullwright.tasks ON DELETE CASCADE,
  kind text NOT NULL CHECK (kind IN ('steer', 'stop')),
  author json NOT NULL,
  comment json NOT NULL,
  body text NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  taken_by integer
);
CREATE INDEX notes_waiting ON pullwright.notes (task_id, id) WHERE taken_by IS NULL;

-- Alerts and digests that were sent, so that each is sent once whoever notices first.
CREATE TABLE pullwright.alerts (
  key text PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT now()
);
