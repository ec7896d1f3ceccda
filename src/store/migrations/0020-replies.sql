-- Replies of models, by repository and exact request. text, because the bytes of a reply go back to its vendor as they came.
CREATE TABLE pullwright.replies (
  repo_id bigint NOT NULL,
  key text NOT NULL,
  reply text NOT NULL,
  bytes integer NOT NULL,
  at timestamptz NOT NULL,
  PRIMARY KEY (repo_id, key)
);
-- Finds what is too old or too much without touching the replies themselves.
CREATE INDEX replies_at ON pullwright.replies (at DESC, repo_id, key) INCLUDE (bytes);
