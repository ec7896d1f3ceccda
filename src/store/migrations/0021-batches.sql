-- Questions put into a vendor's batch, by the exact request of a run, so that a worker that takes the run over waits for the answer
-- instead of paying for another. batch_id is null from the claim until the vendor has taken the batch; result is the vendor's
-- answer as it came, null until then. taken: a run has had it, and was charged.
CREATE TABLE pullwright.batch_requests (
  key text PRIMARY KEY,
  claimed_at timestamptz NOT NULL,
  batch_id text,
  result text,
  taken boolean NOT NULL DEFAULT false
);
CREATE INDEX batch_requests_claimed_at ON pullwright.batch_requests (claimed_at);
CREATE INDEX batch_requests_batch ON pullwright.batch_requests (batch_id);
