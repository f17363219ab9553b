#!/bin/sh
# Restores the newest archive of each database into a second database, checks that it has documents, and removes it.
# A real restore is the same command without --nsFrom and --nsTo, as the administrator (docs/kubernetes.md).
set -eu
for service in auth tickets orders payments expiration; do
  # shellcheck disable=SC2012  # generated names: letters, digits and a dash
  newest=$(ls -1 "/backups/$service-"*.gz | tail -n 1)
  echo "restoring $newest"
  mongorestore --config="/credentials/$service.yaml" --gzip --archive="$newest" --drop --stopOnError \
    --nsInclude="$service.*" --nsFrom="$service.*" --nsTo='restore_drill.*'
  SERVICE="$service" mongosh --quiet --norc --nodb --file /scripts/drop-drill.js
done
