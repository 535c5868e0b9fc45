-- When the control plane wrote which of its own records: a stretch of time is a stretch of numbers by it.
CREATE INDEX audit_own_by_time ON audit (chain, at, n) WHERE chain = 'control';
-- One chain, in its order.
CREATE INDEX audit_by_chain    ON audit (chain, n);
