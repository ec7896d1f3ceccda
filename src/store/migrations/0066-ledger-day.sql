-- What an installation spent today is summed with each charge: from its own rows, not from everybody's of that day.
CREATE INDEX ledger_installation ON pullwright.ledger (installation_id, at) INCLUDE (repo_id, cost_usd);
