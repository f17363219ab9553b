#!/bin/sh
# One archive per database. Each aggregate is one document that includes its outbox, so each is consistent also in a slow
# dump, and `ticketing resync` makes the projections agree after a restore.
set -eu
umask 077
now=$(date -u +%Y%m%dT%H%M%SZ)
for service in auth tickets orders payments expiration; do
  mongodump --config="/credentials/$service.yaml" --db="$service" --readPreference=secondaryPreferred \
    --gzip --archive="/backups/$service-$now.part"
  mv "/backups/$service-$now.part" "/backups/$service-$now.gz"
done
find /backups -name '*.gz' -mtime +14 -delete
find /backups -name '*.part' -mtime +1 -delete
