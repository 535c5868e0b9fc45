#!/bin/sh
# Run once by the database image: the local account that sessions use.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$APP_RO_PASSWORD" -U postgres -d sales <<'SQL'
CREATE ROLE app_ro LOGIN PASSWORD :'password';
GRANT pg_read_all_data TO app_ro;
SQL
