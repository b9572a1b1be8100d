#!/bin/sh
# Make a token for the example `protected`, and for trying things out: these
# claims, signed with HS256 and the secret in JWT_SECRET, good for an hour.  Whoever
# else is on the machine can see the secret meanwhile, as an argument of openssl.
#
#   JWT_SECRET=… workers/examples/token.sh '"sub":"ada","roles":["admin"]'
set -eu
: "${1:?the claims are missing, such as '\"sub\":\"ada\"'}"
: "${JWT_SECRET:?is to be the secret that the worker has}"

base64url() {
    openssl base64 -A | tr '+/' '-_' | tr -d '='
}

text=$(printf '{"alg":"HS256","typ":"JWT"}' | base64url)
text=$text.$(printf '{%s,"exp":%d}' "$1" "$(($(date +%s) + 3600))" | base64url)
printf '%s.%s\n' "$text" "$(printf '%s' "$text" |
    openssl dgst -sha256 -hmac "$JWT_SECRET" -binary | base64url)"
