#!/usr/bin/env bash
# Compares Postern with a direct connection, HAProxy and PgBouncer. Arguments: [quick] [SECTION…]; see benches/src/main.rs.
set -euo pipefail
cd "$(dirname "$0")/.."
for program in haproxy pgbouncer; do
    [ -x "/usr/sbin/$program" ] && continue
    if [ "$(id -u)" != 0 ]; then echo "install first: apt-get install $program" >&2; exit 1; fi
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$program" >&2
    # Debian starts them as services; here they run on ports of their own.
    service "$program" stop >/dev/null 2>&1 || true
done
ulimit -n "$(ulimit -H -n)"
cargo build --locked --release -p postern -p postern-benches
target=$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
POSTERN_BIN="$target/release/postern" exec "$target/release/compare" "$@"
