#!/bin/bash
# One encrypted archive per database. Each aggregate is one document that includes its outbox, so each is consistent also
# in a slow dump, and `ticketing resync` makes the projections agree after a restore.
set -euo pipefail
umask 077
recipients=${RECIPIENTS:-/recipients/recipients}
backups=${BACKUPS:-/backups}
if [ ! -s "$recipients" ]; then
  echo 'The Secret backup-recipients is missing, and nothing is written unencrypted: docs/kubernetes.md, Backups.' >&2
  exit 1
fi
now=$(date -u +%Y%m%dT%H%M%SZ)
# Over TLS if the component `tls` is in use.
tls=${INTERNAL_CA_FILE:+--ssl --sslCAFile=$INTERNAL_CA_FILE}
for service in auth tickets orders payments expiration; do
  # shellcheck disable=SC2086  # no option or two, without special characters
  mongodump --config="/credentials/$service.yaml" $tls --db="$service" --readPreference=secondaryPreferred \
    --gzip --archive | age --encrypt --recipients-file "$recipients" > "$backups/$service-$now.part"
  mv "$backups/$service-$now.part" "$backups/$service-$now.gz.age"
done
# `.gz`: archives of a release that did not encrypt.
find "$backups" \( -name '*.gz.age' -o -name '*.gz' \) -mtime +14 -delete
find "$backups" -name '*.part' -mtime +1 -delete
