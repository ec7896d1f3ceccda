-- What is to be said about money waits here for whoever sends it. Noted once under its key; sent_at is null until it was sent.
-- task_id is the task whose charge was the first to pass the mark, null for a digest.
ALTER TABLE pullwright.alerts
  ADD COLUMN kind text NOT NULL CHECK (kind IN ('repository', 'installation', 'digest')),
  ADD COLUMN message json NOT NULL,
  ADD COLUMN task_id uuid,
  ADD COLUMN tries integer NOT NULL DEFAULT 0,
  ADD COLUMN due_at timestamptz NOT NULL,
  ADD COLUMN sent_at timestamptz;
CREATE INDEX alerts_waiting ON pullwright.alerts (due_at) WHERE sent_at IS NULL;
