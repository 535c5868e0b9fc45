-- The audit trail by several things at once: each combination finds its records in their order, however many there are
-- of each thing alone.
CREATE INDEX audit_by_identity_repo      ON audit (identity, repo, n);
CREATE INDEX audit_by_identity_kind      ON audit (identity, kind, n);
CREATE INDEX audit_by_repo_kind          ON audit (repo, kind, n);
CREATE INDEX audit_by_identity_repo_kind ON audit (identity, repo, kind, n);
