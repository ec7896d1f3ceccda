-- Packs of the work tree of a task that has not ended, so that a run lost on one machine goes on at its last observed call on another.
-- seq is that of the journal entry which came with the pack, in one transaction. Those since the last base are needed, in order.
CREATE TABLE pullwright.checkpoints (
  task_id uuid NOT NULL,
  attempt integer NOT NULL,
  seq integer NOT NULL,
  tree text NOT NULL,
  is_base boolean NOT NULL,
  pack bytea NOT NULL,
  PRIMARY KEY (task_id, attempt, seq),
  FOREIGN KEY (task_id, attempt, seq) REFERENCES pullwright.journal (task_id, attempt, seq) ON DELETE CASCADE
);
-- Packs are compressed already.
ALTER TABLE pullwright.checkpoints ALTER COLUMN pack SET STORAGE EXTERNAL;
