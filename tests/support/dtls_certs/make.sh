#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes the certificates of peers that tests play, each with its key in one file. They guard nothing.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

self_signed() { # NAME KEYGEN-ARGUMENTS... -- X509-ARGUMENTS...
	local name=$1 generate=()
	shift
	while [ "$1" != -- ]; do generate+=("$1"); shift; done
	shift
	openssl genpkey -quiet "${generate[@]}" -out "$work/key" 2>/dev/null || openssl genpkey "${generate[@]}" -out "$work/key"
	openssl req -x509 -new -key "$work/key" -subj "/CN=$name.test" -out "$work/cert" "$@"
	cat "$work/cert" "$work/key" >"$name.pem"
}

p256=(-algorithm EC -pkeyopt ec_paramgen_curve:P-256)
self_signed rsa -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -- -days 36500
self_signed p384 -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -- -days 36500
self_signed ed25519 -algorithm ED25519 -- -days 36500
self_signed server_only "${p256[@]}" -- -days 36500 -addext extendedKeyUsage=serverAuth
self_signed no_signature "${p256[@]}" -- -days 36500 -addext keyUsage=critical,keyAgreement

# Outlived: signed for one day of the year 2020.
openssl genpkey "${p256[@]}" -out "$work/key"
openssl req -new -key "$work/key" -subj /CN=expired.test -out "$work/request"
mkdir "$work/ca" && : >"$work/ca/index" && echo 01 >"$work/ca/serial"
printf '[ca]\ndefault_ca=c\n[c]\ndatabase=%s/index\nserial=%s/serial\nnew_certs_dir=%s\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n' \
	"$work/ca" "$work/ca" "$work/ca" >"$work/ca.cnf"
openssl ca -batch -config "$work/ca.cnf" -selfsign -keyfile "$work/key" -in "$work/request" -out "$work/cert" -notext \
	-startdate 20200101000000Z -enddate 20200102000000Z 2>/dev/null
cat "$work/cert" "$work/key" >expired.pem

# A chain: leaf signed by an authority of its own, both in the file.
openssl genpkey "${p256[@]}" -out "$work/root.key"
openssl req -x509 -new -key "$work/root.key" -subj /CN=authority.test -days 36500 -out "$work/root"
openssl genpkey "${p256[@]}" -out "$work/key"
openssl req -new -key "$work/key" -subj /CN=chain.test -out "$work/request"
openssl x509 -req -in "$work/request" -CA "$work/root" -CAkey "$work/root.key" -set_serial 2 -days 36500 -out "$work/cert" 2>/dev/null
cat "$work/cert" "$work/root" "$work/key" >chain.pem
