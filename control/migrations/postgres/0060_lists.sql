-- Lists of grants and requests are put together from one list for each state: an index for each of the things that they
-- can be asked by, with the state and the order behind it, serves them whether a state is asked for or not.
DROP INDEX grants_by_identity;
DROP INDEX grants_of_repo;
DROP INDEX grants_of_identity;
DROP INDEX grants_by_owner;
DROP INDEX grants_over_of_repo;
CREATE INDEX grants_listed_by_repo                     ON grants (repo, state, n);
CREATE INDEX grants_listed_by_identity                 ON grants (identity, state, n);
CREATE INDEX grants_listed_by_identity_repo            ON grants (identity, repo, state, n);
CREATE INDEX grants_listed_by_owner                    ON grants (owner, state, n);
CREATE INDEX grants_listed_by_owner_repo               ON grants (owner, repo, state, n);
CREATE INDEX grants_listed_by_owner_identity           ON grants (owner, identity, state, n);
CREATE INDEX grants_listed_by_owner_identity_repo      ON grants (owner, identity, repo, state, n);
DROP INDEX requests_by_identity;
DROP INDEX requests_by_owner;
DROP INDEX requests_by_repo;
DROP INDEX requests_by_repo_and_state;
CREATE INDEX requests_listed_by_repo                   ON requests (repo, state, n);
CREATE INDEX requests_listed_by_identity               ON requests (identity, state, n);
CREATE INDEX requests_listed_by_identity_repo          ON requests (identity, repo, state, n);
CREATE INDEX requests_listed_by_owner                  ON requests (owner, state, n);
CREATE INDEX requests_listed_by_owner_repo             ON requests (owner, repo, state, n);
CREATE INDEX requests_listed_by_owner_identity         ON requests (owner, identity, state, n);
CREATE INDEX requests_listed_by_owner_identity_repo    ON requests (owner, identity, repo, state, n);
-- The tokens that a client issued, which it may list.
CREATE INDEX access_tokens_by_owner                    ON access_tokens (owner, n);
