-- Whether versions that do not know a migration may still work with the database. True for those whose first line is "-- breaks: why".
ALTER TABLE pullwright.migrations ADD COLUMN is_breaking boolean NOT NULL DEFAULT false;
