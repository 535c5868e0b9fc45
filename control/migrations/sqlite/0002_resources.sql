-- The tables that sidecars found in the repos' catalogs.
--   name  schema.table, as requests write it; its bytes are the order of lists
CREATE TABLE resources (
    repo TEXT NOT NULL,
    name TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (repo, name)
);
