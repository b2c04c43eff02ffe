#!/usr/bin/env bash
# Exports everything that is stored about a customer, for a subject access request.
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat <<'END'
Usage: TOKEN=... export-customer.sh (--stack STACK | --api URL) --profile ID --out FILE [--dry-run]

Exports a profile with `GET /profiles/{id}/export` and writes all pages into one NDJSON file: the header, then one item
per line. The token needs the scopes profiles:read and pii:read.

  --stack STACK  The stack whose API is read.
  --api URL      The address of the API.
  --profile ID   The ID of the profile, or of any of its identities.
  --out FILE     The file to write. It must not exist. Only you can read it.
  --dry-run      Read the first item only, to check token and ID. Write no file.
  --help         Print this text.

Exit status 3: the export is partial. The script prints which links were not followed.
END
}

stack='' api='' profile='' out=''
while [ "$#" -gt 0 ]; do
  case $1 in
    --stack) value "$1" "$@" && stack=$2 && shift 2 ;;
    --api) value "$1" "$@" && api=$2 && shift 2 ;;
    --profile) value "$1" "$@" && profile=$2 && shift 2 ;;
    --out) value "$1" "$@" && out=$2 && shift 2 ;;
    --dry-run) dry_run=true && shift ;;
    --help) usage && exit ;;
    *) usage_error "Unknown argument: $1" ;;
  esac
done
[ -n "$stack$api" ] || usage_error 'Specify --stack or --api.'
[[ $profile =~ ^[a-z2-7]{26}$ ]] || usage_error '--profile needs an ID of 26 characters.'
[ -n "$out" ] || usage_error 'Specify --out.'
[ ! -e "$out" ] || fail "$out exists."
prepare_api "$stack"

# Writes a page to the file `page`: `page LIMIT [CURSOR]`.
page() {
  local query="limit=$1" status
  [ -z "${2:-}" ] || query+="&cursor=$2"
  status=$(curl --silent --show-error --config "$folder/curl" --retry 5 --output "$folder/page" --write-out '%{http_code}' \
    "$api/profiles/$profile/export?$query")
  [ "$status" = 200 ] || fail "The API returned $status: $(cat "$folder/page")"
}

if $dry_run; then
  page 1
  printf 'The token can export this profile.\n'
  exit
fi
cursor='' first=true
while $first || [ -n "$cursor" ]; do
  first=false
  page 100 "$cursor"
  # The last line of a page contains the cursor of the next one.
  sed '$d' "$folder/page" >>"$folder/export"
  tail -n 1 "$folder/page" >"$folder/end"
  cursor=$(jq --raw-output '.next // empty' "$folder/end")
done
mv "$folder/export" "$out"
printf '%s items written to %s.\n' "$(($(wc -l <"$out") - 1))" "$out"
if jq --exit-status .partial "$folder/end" >/dev/null; then
  printf 'The export is partial. Links that were not followed:\n%s\n' "$(jq --compact-output '.excluded_links[]?' "$folder/end")"
  exit 3
fi
