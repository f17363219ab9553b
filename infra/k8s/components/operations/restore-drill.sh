#!/bin/bash
# Restores the newest archive of each database into a second database, checks that it has documents, and removes it.
# A real restore is the same command without --nsFrom and --nsTo, as the administrator (docs/kubernetes.md).
set -euo pipefail
identity=${IDENTITY:-/identity/identity}
if [ ! -s "$identity" ]; then
  echo 'The Secret backup-identity is missing: make it for the time of the drill (docs/kubernetes.md, Backups).' >&2
  exit 1
fi
tls=${INTERNAL_CA_FILE:+--ssl --sslCAFile=$INTERNAL_CA_FILE}
for service in auth tickets orders payments expiration; do
  # shellcheck disable=SC2012  # generated names: letters, digits and a dash
  newest=$(ls -1 "/backups/$service-"*.gz.age | tail -n 1)
  echo "restoring $newest"
  # shellcheck disable=SC2086  # no option or two, without special characters
  age --decrypt --identity "$identity" "$newest" |
    mongorestore --config="/credentials/$service.yaml" $tls --gzip --archive --drop --stopOnError \
      --nsInclude="$service.*" --nsFrom="$service.*" --nsTo='restore_drill.*'
  SERVICE="$service" mongosh --quiet --norc --nodb --file /scripts/drop-drill.js
done
