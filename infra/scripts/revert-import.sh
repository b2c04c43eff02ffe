#!/usr/bin/env bash
# Reverts an import through the API, or repeats it.
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat <<'END'
Usage: TOKEN=... revert-import.sh (--stack STACK | --api URL) --import ID [--replay] [--yes] [--dry-run]

Reverts an import: counts what that would do, asks, deletes what the file has stored, and waits for the replays of
the older imports that it replaced. With --replay, it repeats the import instead: rows of newer files stay.
WARNING: While a revert runs, customers have neither the rows of this file nor those of older files that it replaced.

  --stack STACK  The stack whose API is used.
  --api URL      The address of the API.
  --import ID    The ID of the import: 16 hexadecimal digits, or the UUID of an upload.
  --replay       Repeat the import, also to undo a revert of it.
  --yes          Do not ask for the ID of the import.
  --dry-run      Count what a revert would do. Change nothing. With --replay, show the import only.
  --help         Print this text.

The token needs the scopes imports:read and imports:write. For a file in `forget` it also needs erasures:write, in
`unify` links:write, in `mixed` both.

Exit status 3: the revert ended, but some rows or older imports need attention. The script prints which.
END
}

stack='' api='' import='' replay=false confirmed=false
while [ "$#" -gt 0 ]; do
  case $1 in
    --stack) value "$1" "$@" && stack=$2 && shift 2 ;;
    --api) value "$1" "$@" && api=$2 && shift 2 ;;
    --import) value "$1" "$@" && import=$2 && shift 2 ;;
    --replay) replay=true && shift ;;
    --yes) confirmed=true && shift ;;
    --dry-run) dry_run=true && shift ;;
    --help) usage && exit ;;
    *) usage_error "Unknown argument: $1" ;;
  esac
done
[ -n "$stack$api" ] || usage_error 'Specify --stack or --api.'
[[ $import =~ ^[0-9a-f-]{16,36}$ ]] || usage_error '--import needs the ID of an import.'
prepare_api "$stack"

# Writes a response to the file `response`, and ends the script unless it has the status: `request STATUS PATH [ARGUMENTS OF CURL]`.
request() {
  local wanted=$1 path=$2 status
  shift 2
  status=$(curl --silent --show-error --config "$folder/curl" --retry 5 --output "$folder/response" --write-out '%{http_code}' "$@" "$api$path")
  [ "$status" = "$wanted" ] || fail "The API returned $status: $(jq --raw-output '.detail // .' "$folder/response" 2>/dev/null || cat "$folder/response")"
}

# Prints a line for the import or the operation in the file `response`.
describe() {
  jq --raw-output '(if .preview then "preview" else .kind end) as $kind |
    {import: ["read", "written", "stale", "suppressed", "rejected"], replay: ["read", "written", "stale", "suppressed", "rejected"]} as $counts |
    "\($kind) \(.id): \(.state)" + ([. as $all | ($counts[$kind] // ["read", "deleted", "replaced_since", "not_found", "skipped_erasures"])[] |
      ", \(.) \($all[.] // 0)"] | join("")) + (if .replays then ", replays \(.replays.count)" else "" end) +
    (if .reverted then ", reverted at \(.reverted.at) by \(.reverted.by)" else "" end)' "$folder/response"
}

# Starts an operation and waits until it has ended: `operate PATH`. A revert reads the file again, which may take hours.
operate() {
  local id turn
  request 202 "$1" --request POST --header "idempotency-key: revert-import-$$-$(date +%s)-${1##*/}"
  id=$(jq --raw-output .id "$folder/response")
  for ((turn = 0; turn < 7200; turn++)); do
    request 200 "/imports/$id"
    [ "$(jq --raw-output .state "$folder/response")" = running ] || break
    sleep 2
  done
  describe
  [ "$(jq --raw-output .state "$folder/response")" = completed ] ||
    fail "The operation has not completed: $(jq --raw-output '.problem.detail // .state' "$folder/response")"
}

# Waits for the replays that the revert in the file `revert` has started. The list names up to 100 of them.
wait_for_replays() {
  local turn ended=0 expected
  expected=$(jq '.replays.items // [] | length' "$folder/revert")
  [ "$expected" -gt 0 ] || return 0
  for ((turn = 0; turn < 7200; turn++)); do
    request 200 '/imports?limit=100'
    ended=$(jq --slurpfile revert "$folder/revert" '[.items[] | select(.kind == "replay" and .state != "running" and
      .created_at >= $revert[0].created_at and IN(.of; $revert[0].replays.items[])) | .of] | unique | length' "$folder/response")
    [ "$ended" -lt "$expected" ] || break
    sleep 2
  done
  printf '%s of %s older imports are replayed.\n' "$ended" "$expected"
  [ "$ended" -ge "$expected" ] || fail 'Some replays have not ended. GET /imports lists them.'
}

request 200 "/imports/$import"
jq --raw-output '"\(.key), imported \(.finished_at // .created_at)"' "$folder/response"
describe
if $replay; then
  if $dry_run; then
    printf 'would run: POST %q\n' "$api/imports/$import/replay"
    exit
  fi
  operate "/imports/$import/replay"
  exit
fi

operate "/imports/$import/revert?preview=true"
if $dry_run; then
  printf 'Nothing was changed.\n'
  exit
fi
if ! $confirmed; then
  printf 'This deletes the rows counted as deleted.\nEnter the ID of the import to continue: '
  read -r typed
  [ "$typed" = "$import" ] || fail 'The ID does not match. Nothing was changed.'
fi
operate "/imports/$import/revert"
cp "$folder/response" "$folder/revert"
wait_for_replays
if jq --exit-status '.skipped_erasures > 0 or (.replays.left_out // 0) > 0' "$folder/revert" >/dev/null; then
  jq --raw-output '"\(.skipped_erasures) rows of forget were skipped: these customers stay erased.",
    "\(.replays.left_out // 0) older imports are not replayed: replay them one by one, with --replay."' "$folder/revert"
  exit 3
fi
