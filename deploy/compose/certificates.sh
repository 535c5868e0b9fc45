#!/bin/sh
# A certificate authority of one's own, and certificates for control plane and sidecar, good for a year. For trying
# things out: in production they come from wherever your certificates come from.
set -eu
cd "$(dirname "$0")"
umask 022
mkdir -p tls
cd tls
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj "/CN=postern trial CA" \
    -keyout ca.key -out ca.pem 2>/dev/null
for name in control sidecar; do
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" \
        -keyout "$name.key" -out "$name.csr" 2>/dev/null
    printf 'subjectAltName=DNS:%s,DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' "$name" >"$name.ext"
    openssl x509 -req -in "$name.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 365 -extfile "$name.ext" \
        -out "$name.pem" 2>/dev/null
    rm "$name.csr" "$name.ext"
    # The image's user reads it through a bind mount.
    chmod 644 "$name.key"
done
rm -f ca.srl
chmod 600 ca.key
echo "tls/ca.pem tls/control.pem tls/sidecar.pem"
