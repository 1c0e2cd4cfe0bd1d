"""The audit trail: a chain of lines, one for each decision, whose heads stand in the ledger."""
