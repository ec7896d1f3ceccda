-- For an automatic review: since when its commit was the head, and the commit that came after it.
ALTER TABLE pullwright.tasks ADD COLUMN head_at timestamptz, ADD COLUMN superseded_by text;
