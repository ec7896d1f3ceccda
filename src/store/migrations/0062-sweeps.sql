-- How far the App's delivery log was looked through for deliveries that never arrived. One server at a time does that.
CREATE TABLE pullwright.sweeps (
  name text PRIMARY KEY,
  swept_to timestamptz NOT NULL,
  leased_until timestamptz NOT NULL
);
