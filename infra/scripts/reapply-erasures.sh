#!/usr/bin/env bash
# Repeats the erasures since a point in time, for a table that was restored to its state at that time.
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat <<'END'
Usage: reapply-erasures.sh --stack STACK --since TIME [--dry-run]
       reapply-erasures.sh --bucket BUCKET --since TIME [--dry-run]

Collects the entries of the journal of erasures that were written since a point in time, in the order of their erasures,
and drops them as one forget file. The file contains IDs and no identifiers. Running the script twice does no harm.

  --stack STACK    The stack, from which the bucket is read.
  --bucket BUCKET  The bucket.
  --since TIME     The point in time of the restored table, in UTC, for example 2026-10-31T12:00:00Z.
  --dry-run        Print how many identities would be erased, suppressed and reinstated. Change nothing.
  --help           Print this text.

Permissions: s3:ListBucket on the bucket, s3:GetObject on erasures/*, s3:PutObject on drop/forget/*, kms:Decrypt and
kms:GenerateDataKey with the stack's key, and cloudformation:DescribeStacks with --stack.
END
}

stack='' bucket='' since=''
while [ "$#" -gt 0 ]; do
  case $1 in
    --stack) value "$1" "$@" && stack=$2 && shift 2 ;;
    --bucket) value "$1" "$@" && bucket=$2 && shift 2 ;;
    --since) value "$1" "$@" && since=$2 && shift 2 ;;
    --dry-run) dry_run=true && shift ;;
    --help) usage && exit ;;
    *) usage_error "Unknown argument: $1" ;;
  esac
done
[ -n "$stack$bucket" ] || usage_error 'Specify --stack or --bucket.'
[ -z "$stack" ] || [ -z "$bucket" ] || usage_error 'Specify either --stack or --bucket.'
[ -n "$since" ] || usage_error 'Specify --since.'
require_tools aws jq
jq --null-input --arg at "$since" '$at | fromdate' >/dev/null 2>&1 || usage_error "Not a time such as 2026-10-31T12:00:00Z: $since"
[ -z "$stack" ] || bucket=$(stack_output "$stack" BucketName)
umask 077
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# The CLI reads all pages. An entry is written after its erasure, so objects of earlier times have none to repeat.
aws s3api list-objects-v2 --bucket "$bucket" --prefix erasures/ --output json >"$folder/objects.json"
# Entries of one file have the same time. Their order is that of the rows: an object contains consecutive rows of a byte range, and
# is named by the offsets of the first and the last one. A repeated invocation of ingest writes the same entries again, perhaps in
# other objects. In the order of the last offsets, no object that ends earlier follows the last row about an identity.
jq --raw-output --arg since "$since" '[.Contents[]?
  | select((.LastModified | sub("\\.[0-9]+"; "") | sub("\\+00:00$"; "Z") | fromdate) >= ($since | fromdate)).Key
  | . as $key
  | capture("^erasures/(?<import>[^/]+)/(?<range>[0-9]+)-(?<first>[0-9]+)-(?<last>[0-9]+)[.]ndjson$") // error("Not an object of the journal: \($key)")
  | {$key, order: [.import, (.range | tonumber), (.last | tonumber), (.first | tonumber)]}]
  | sort_by(.order)[].key' "$folder/objects.json" >"$folder/keys"
: >"$folder/entries"
while IFS= read -r key; do
  aws s3 cp --only-show-errors "s3://$bucket/$key" - >>"$folder/entries"
done <"$folder/keys"
# sort_by keeps the order of entries with the same time. Of equal entries, the last one is kept: it decides, as in the table.
jq --slurp --compact-output 'sort_by(.erased_at) | to_entries | group_by(.value) | map(last) | sort_by(.key)[].value' \
  "$folder/entries" >"$folder/erasures.ndjson"
jq --slurp --raw-output 'map({kind: (if .reinstate then "reinstated" elif .suppress then "suppressed" else "erased" end), ids: .identity_ids}) as $all
  | def number($kind): [$all[] | select(.kind == $kind).ids[]] | unique | length;
    "\($all | length) entries of the journal: \(number("erased")) identities erased, \(number("suppressed")) suppressed, \(number("reinstated")) reinstated"' \
  "$folder/erasures.ndjson"
if [ ! -s "$folder/erasures.ndjson" ]; then
  echo 'Nothing to repeat.'
  exit
fi
key=drop/forget/journal/since-$since.ndjson
version=$(change aws s3api put-object --bucket "$bucket" --key "$key" --body "$folder/erasures.ndjson" --query VersionId --output text)
if $dry_run; then
  printf '%s\n' "$version"
else
  printf 'Dropped. When ingest has imported the file, its report is\n  reports/%s/%s.json\n' "$key" "$version"
fi
