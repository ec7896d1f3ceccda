-- The waiting line: one row per task that the queue has not ended, in the order in which they came. pg-boss's job says whether a task
-- waits, runs or is to wait for a while; this says whose it is and who was there before. party is an installation, key a thread
-- ("repoId:number"), rank is higher for what a person waits for.
CREATE TABLE pullwright.places (
  task_id uuid PRIMARY KEY,
  place bigint GENERATED ALWAYS AS IDENTITY,
  party bigint NOT NULL,
  key text NOT NULL,
  rank smallint NOT NULL
);
CREATE INDEX places_party ON pullwright.places (party, rank, place);
CREATE INDEX places_key ON pullwright.places (key, place);

-- Which turn each party had last, so that parties that run as much as each other take turns. Small and often rewritten.
CREATE SEQUENCE pullwright.turn;
CREATE TABLE pullwright.turns (
  party bigint PRIMARY KEY,
  turn bigint NOT NULL
) WITH (fillfactor = 50);

INSERT INTO pullwright.places (task_id, party, key, rank)
SELECT id, installation_id, repo_id || ':' || thread_number,
  CASE WHEN request -> 'origin' ->> 'kind' = 'automatic' THEN 0 ELSE 10 END
FROM pullwright.tasks WHERE state IN ('queued', 'running') ORDER BY created_at, id;
