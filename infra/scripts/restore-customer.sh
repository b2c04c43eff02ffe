#!/usr/bin/env bash
# Restores the items of one customer from a point in time.
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat <<'END'
Usage: restore-customer.sh (--stack STACK | --table TABLE) --restored NAME [--at TIME] --identity ID... [--overwrite]
                           [--prefix PREFIX] [--dry-run]

Restores the table as it was at a point in time into a new table, and copies the items of the given identities from
there. Items that exist are kept. The script can be interrupted and run again with the same arguments.

  --stack STACK     The stack whose table is written.
  --table TABLE     The table that is written.
  --restored NAME   The restored table. If it does not exist, it is created.
  --at TIME         The point in time in UTC, for example 2026-10-31T12:00:00Z. Needed to create the restored table.
  --identity ID     An identity of the customer. Repeat it for each one.
  --overwrite       Also replace items that differ from the restored ones.
  --prefix PREFIX   Only items whose sort key begins with this, for example profile#record#crm.
  --dry-run         List the items that would be written. Change nothing.
  --help            Print this text.

The script refuses an identity that was erased after TIME. It checks this before it restores the table, and again before it
copies. It never copies erasure markers, idempotency records, expired items, or links to an identity that was erased after
TIME.

Permissions: dynamodb:DescribeTable, dynamodb:RestoreTableToPointInTime, dynamodb:Query, dynamodb:GetItem,
dynamodb:PutItem, dynamodb:ConditionCheckItem, kms:Decrypt. DynamoDB also needs the permissions to write the new table:
dynamodb:Scan, dynamodb:UpdateItem, dynamodb:DeleteItem, dynamodb:BatchWriteItem. With --stack also
cloudformation:DescribeStacks.
END
}

stack='' table='' restored='' at='' prefix='' overwrite=false
identities=()
while [ "$#" -gt 0 ]; do
  case $1 in
    --stack) value "$1" "$@" && stack=$2 && shift 2 ;;
    --table) value "$1" "$@" && table=$2 && shift 2 ;;
    --restored) value "$1" "$@" && restored=$2 && shift 2 ;;
    --at) value "$1" "$@" && at=$2 && shift 2 ;;
    --prefix) value "$1" "$@" && prefix=$2 && shift 2 ;;
    --identity)
      value "$1" "$@"
      [[ $2 =~ ^[a-z2-7]{26}$ ]] || usage_error "Not an identity ID: $2"
      identities+=("$2") && shift 2
      ;;
    --overwrite) overwrite=true && shift ;;
    --dry-run) dry_run=true && shift ;;
    --help) usage && exit ;;
    *) usage_error "Unknown argument: $1" ;;
  esac
done
[ -n "$stack$table" ] || usage_error 'Specify --stack or --table.'
[ -z "$stack" ] || [ -z "$table" ] || usage_error 'Specify either --stack or --table.'
[ -n "$restored" ] || usage_error 'Specify --restored.'
[ "${#identities[@]}" -gt 0 ] || usage_error 'Specify --identity.'
require_tools aws jq
[ -n "$table" ] || table=$(stack_output "$stack" TableName)
[ "$restored" != "$table" ] || usage_error '--restored must not be the table itself.'

# Prints the items of a partition whose sort key begins with a text: `items TABLE ID TEXT`.
items() {
  local condition='PK = :id' values
  values=$(jq --null-input --compact-output --arg id "$2" --arg begin "$3" \
    '{":id": {S: $id}} + if $begin == "" then {} else {":begin": {S: $begin}} end')
  [ -z "$3" ] || condition+=' AND begins_with(SK, :begin)'
  aws dynamodb query --table-name "$1" --consistent-read --key-condition-expression "$condition" \
    --expression-attribute-values "$values" --output json | jq --compact-output .Items
}

# Prints the versions of an identity's erasure markers in a table: `versions TABLE ID`. The object has the fields `erased` and
# `suppressed`.
versions() {
  items "$1" "$2" 'profile#marker#' | jq --compact-output \
    'map({key: .SK.S, value: .version}) | from_entries | {erased: .["profile#marker#erased"], suppressed: .["profile#marker#suppressed"]}'
}

# Prints the versions of an identity's erasure markers in both tables: `{id, held, restored}`.
markers() {
  local held before
  held=$(versions "$table" "$1")
  before=$(versions "$restored" "$1")
  jq --null-input --compact-output --arg id "$1" --argjson held "$held" --argjson restored "$before" '$ARGS.named'
}

# Ends the script for an identity whose items must not be restored: `refuse ID VERSIONS`, with the versions of its markers.
refuse() {
  jq --exit-status '.suppressed == null' <<<"$2" >/dev/null ||
    fail "Identity $1 is suppressed. Its items are not restored. It cannot be reinstated either."
  fail "Identity $1 was erased after the point in time. Its items are not restored. Reinstate it instead: see" \
    '"Reinstate a customer" in infra/docs/guides/erasing-and-exporting.md.'
}

status=$(table_status "$restored")
if [ -z "$status" ]; then
  [ -n "$at" ] || usage_error "Table $restored does not exist. Specify --at to create it."
  seconds=$(jq --null-input --arg at "$at" '$at | fromdate' 2>/dev/null) ||
    usage_error "Not a time such as 2026-10-31T12:00:00Z: $at"
  # The restore takes long, so erased identities are refused before it. The first five bytes of a version are the time when the
  # file of the erasure was dropped, in seconds since 1970.
  for id in "${identities[@]}"; do
    held=$(versions "$table" "$id")
    jq --exit-status --argjson at "$seconds" '
      def seconds: reduce (.[:7] / "")[] as $digit
        (0; . * 64 + ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" | index($digit))) / 4 | floor;
      .suppressed == null and (.erased == null or (.erased.B | seconds) <= $at)
    ' <<<"$held" >/dev/null || refuse "$id" "$held"
  done
  # Without indexes: the items are read by key, and building indexes takes longer than the rest.
  change aws dynamodb restore-table-to-point-in-time --source-table-name "$table" --target-table-name "$restored" \
    --restore-date-time "$at" --global-secondary-index-override '[]' --output text --query TableDescription.TableStatus
  if $dry_run; then
    printf 'The items can be compared when %s exists.\n' "$restored"
    exit
  fi
  status=CREATING
fi
wait_for_table "$restored" "$status"

umask 077
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

written=0
for id in "${identities[@]}"; do
  markers "$id" >"$folder/markers.json"
  jq --exit-status '.held == .restored and .held.suppressed == null' "$folder/markers.json" >/dev/null ||
    refuse "$id" "$(jq --compact-output .held "$folder/markers.json")"

  items "$restored" "$id" '' >"$folder/restored.json"
  items "$table" "$id" '' >"$folder/held.json"
  # Each restored item with its state: missing, changed or same.
  jq --null-input --compact-output --slurpfile restored "$folder/restored.json" --slurpfile held "$folder/held.json" --arg prefix "$prefix" '
    ($held[0] | map({key: .SK.S, value: .}) | from_entries) as $held
    | $restored[0][]
    | select(.SK.S | startswith($prefix))
    | select(.SK.S | startswith("profile#marker#") or startswith("agent#request#") | not)
    | select(.expires_at == null or (.expires_at.N | tonumber) > now)
    | {item: ., held: $held[.SK.S]}
    | .state = (if .held == null then "missing" elif .held == .item then "same" else "changed" end)
  ' >"$folder/states.json"
  jq --slurp --raw-output --arg id "$id" '
    "\($id): \(map(select(.state == "missing")) | length) missing, \(map(select(.state == "changed")) | length) changed, \(map(select(.state == "same")) | length) the same"
  ' "$folder/states.json"
  jq --compact-output --argjson overwrite "$overwrite" 'select(.state == "missing" or ($overwrite and .state == "changed"))' \
    "$folder/states.json" >"$folder/chosen.json"

  # A link names its other end, so a link to an identity that was erased since is personal data.
  jq --raw-output '.item.SK.S | select(startswith("profile#link#")) | split("#")[-1]' "$folder/chosen.json" | sort -u >"$folder/others"
  while IFS= read -r other; do markers "$other"; done <"$folder/others" >>"$folder/markers.json"
  jq --compact-output --slurpfile markers "$folder/markers.json" '
    ($markers | map(select(.held != .restored or .held.suppressed != null).id)) as $erased
    | (.item.SK.S | if startswith("profile#link#") then split("#")[-1] else "" end) as $other
    | select($erased | index($other) | not)
  ' "$folder/chosen.json" >"$folder/writes.json"
  left_out=$(($(jq --slurp length "$folder/chosen.json") - $(jq --slurp length "$folder/writes.json")))
  [ "$left_out" -eq 0 ] || printf '  %s links are left out: their other end was erased.\n' "$left_out"
  if $dry_run; then
    jq --raw-output '"  would write \(.item.SK.S) (\(.state))"' "$folder/writes.json"
  fi

  # Transactions of at most 25 items and about 1 MB. Each item must be as it was compared, and no identity concerned may be
  # erased meanwhile.
  jq --slurp --compact-output --arg table "$table" --slurpfile markers "$folder/markers.json" '
    def unchanged($id; $name; $version):
      {ConditionCheck: ({TableName: $table, Key: {PK: {S: $id}, SK: {S: "profile#marker#\($name)"}}}
        + if $version == null then {ConditionExpression: "attribute_not_exists(PK)"}
          else {ConditionExpression: "version = :version", ExpressionAttributeValues: {":version": $version}} end)};
    def put:
      {Put: ({TableName: $table, Item: .item}
        + if .held == null then {ConditionExpression: "attribute_not_exists(PK)"}
          elif .held.version != null then {ConditionExpression: "version = :version", ExpressionAttributeValues: {":version": .held.version}}
          else {ConditionExpression: "attribute_not_exists(version) AND #data = :data",
            ExpressionAttributeNames: {"#data": "data"}, ExpressionAttributeValues: {":data": .held.data}} end)};
    reduce .[] as $write ({batches: [], size: 0};
      ($write | tojson | length) as $size
      | if .batches == [] or (.batches[-1] | length) >= 25 or .size + $size > 1000000
        then .batches += [[$write]] | .size = $size
        else .batches[-1] += [$write] | .size += $size end)
    | .batches[]
    | (map(.item.PK.S) + map(.item.SK.S | select(startswith("profile#link#")) | split("#")[-1]) | unique) as $ids
    | {TransactItems: (map(put) + [$markers[] | select(.id as $id | $ids | index($id))
        | unchanged(.id; "erased"; .held.erased), unchanged(.id; "suppressed"; .held.suppressed)])}
  ' "$folder/writes.json" >"$folder/batches.json"
  $dry_run || while IFS= read -r batch; do
    printf '%s\n' "$batch" >"$folder/batch.json"
    aws dynamodb transact-write-items --cli-input-json "file://$folder/batch.json" --output text >/dev/null ||
      fail 'DynamoDB did not accept a batch. Items of earlier batches are written. Run the script again: it compares again.'
    written=$((written + $(jq '[.TransactItems[] | select(.Put)] | length' "$folder/batch.json")))
  done <"$folder/batches.json"

  # Identities that live links of this one lead to, without those that were given.
  jq --raw-output --arg given " ${identities[*]} " '
    .[] | select(.SK.S | startswith("profile#link#")) | select(.data.M.live.BOOL) | .SK.S | split("#")[-1]
    | select(" \(.) " as $id | $given | contains($id) | not)
  ' "$folder/restored.json" | sort -u >"$folder/linked"
  while IFS= read -r other; do printf '  is linked to %s, which was not given\n' "$other"; done <"$folder/linked"
done
if ! $dry_run; then
  printf '%s items written to %s.\n' "$written" "$table"
  printf 'If the customer is complete, delete the restored table:\n  aws dynamodb delete-table --table-name %q\n' "$restored"
fi
