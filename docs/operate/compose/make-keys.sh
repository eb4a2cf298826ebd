#!/bin/sh
# Makes every key of the cluster at its first start, each into the volume of those who need it; what is there already stays.
set -eu

# make FOLDER OWNER NAME BYTES: so many random bytes in hexadecimal, readable by their owner only.
make() {
  file="$1/$3"
  [ -s "$file" ] && return 0
  umask 077
  od -An -v -tx1 -N "$4" /dev/urandom | tr -d ' \n' >"$file.new"
  chown "$2" "$1" "$file.new"
  mv "$file.new" "$file"
}

make /keys/gateway 1000:1000 ADMIN_KEY 24
# 32 characters, which is what a key for AES-256 has to have.
make /keys/gateway 1000:1000 FIELD_KEY 16
make /keys/sample 1000:1000 REGISTRY_KEY 24
make /keys/grafana 472:472 GRAFANA_PASSWORD 12
