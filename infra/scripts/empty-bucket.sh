#!/usr/bin/env bash
# Deletes all objects of a bucket, with all versions and delete markers.
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat <<'END'
Usage: empty-bucket.sh (--stack STACK | --bucket BUCKET) [--yes] [--dry-run]

Deletes all objects of a bucket, with all versions and delete markers. CloudFormation deletes only an empty bucket.
WARNING: The files cannot be restored.

  --stack STACK    Empty the bucket of this stack.
  --bucket BUCKET  Empty this bucket.
  --yes            Do not ask for the name of the bucket.
  --dry-run        Print how many versions would be deleted. Change nothing.
  --help           Print this text.

Permissions: s3:ListBucketVersions, s3:DeleteObjectVersion, and cloudformation:DescribeStacks with --stack.
END
}

stack='' bucket='' confirmed=false
while [ "$#" -gt 0 ]; do
  case $1 in
    --stack) value "$1" "$@" && stack=$2 && shift 2 ;;
    --bucket) value "$1" "$@" && bucket=$2 && shift 2 ;;
    --yes) confirmed=true && shift ;;
    --dry-run) dry_run=true && shift ;;
    --help) usage && exit ;;
    *) usage_error "Unknown argument: $1" ;;
  esac
done
[ -n "$stack$bucket" ] || usage_error 'Specify --stack or --bucket.'
[ -z "$stack" ] || [ -z "$bucket" ] || usage_error 'Specify either --stack or --bucket.'
require_tools aws jq
[ -n "$bucket" ] || bucket=$(stack_output "$stack" BucketName)

if $dry_run; then
  aws s3api list-object-versions --bucket "$bucket" --output json |
    jq --slurp --raw-output --arg bucket "$bucket" '.[0] // {} | "\(.Versions // [] | length) versions and \(.DeleteMarkers // [] | length) delete markers would be deleted from \($bucket)."'
  exit
fi
if ! $confirmed; then
  printf 'This deletes all files in %s. They cannot be restored.\nEnter the name of the bucket to continue: ' "$bucket"
  read -r typed
  [ "$typed" = "$bucket" ] || fail 'The name does not match. Nothing was deleted.'
fi

umask 077
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
deleted=0
while true; do
  aws s3api list-object-versions --bucket "$bucket" --max-keys 1000 --no-paginate --output json >"$folder/list.json" ||
    fail "The versions in $bucket cannot be listed."
  # The CLI prints nothing if there is nothing.
  jq --slurp '{Objects: [.[] | .Versions[]?, .DeleteMarkers[]? | {Key, VersionId}], Quiet: true}' "$folder/list.json" >"$folder/batch.json"
  count=$(jq '.Objects | length' "$folder/batch.json")
  [ "$count" -gt 0 ] || break
  aws s3api delete-objects --bucket "$bucket" --delete "file://$folder/batch.json" --output json >"$folder/result.json"
  # With Quiet, the response contains only the objects that were not deleted.
  errors=$(jq --slurp --raw-output '.[] | .Errors[]? | "\(.Key): \(.Code): \(.Message)"' "$folder/result.json")
  [ -z "$errors" ] || fail "Some versions were not deleted:"$'\n'"$errors"
  deleted=$((deleted + count))
  printf '%s versions deleted\n' "$deleted"
done
printf '%s is empty.\n' "$bucket"
