#!/bin/sh
# with-keys.sh FOLDER… -- COMMAND…: runs the command with each file of the folders as a variable of that name.
set -eu

while [ "$1" != -- ]; do
  for file in "$1"/*; do
    export "$(basename "$file")=$(cat "$file")"
  done
  shift
done
shift
exec "$@"
