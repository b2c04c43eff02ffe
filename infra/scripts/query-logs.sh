#!/usr/bin/env bash
# Runs a CloudWatch Logs Insights query over the log groups of a stack.
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat <<'END'
Usage: query-logs.sh --stack STACK [--logs ID] [--hours N] [--dry-run] QUERY

Runs a CloudWatch Logs Insights query over all log groups of the stack: the API's access log, the audit log and the
logs of all functions. Prints one result per line, as `field=value` separated by tabs.

  --stack STACK  The stack.
  --logs ID      Query only the log group with this logical ID, such as AuditLogs.
  --hours N      How far to look back, in hours. Default: 24.
  --dry-run      Print the query and the log groups. CloudWatch charges per GB that a query scans.
  --help         Print this text.

Example:
  query-logs.sh --stack customer-profiles-production --hours 2 \
    'filter status >= 500 | stats count(*) by route, bin(5m)'

Permissions: cloudformation:ListStackResources, logs:StartQuery, logs:GetQueryResults.
END
}

stack='' logs='' hours=24 query=''
while [ "$#" -gt 0 ]; do
  case $1 in
    --stack) value "$1" "$@" && stack=$2 && shift 2 ;;
    --logs) value "$1" "$@" && logs=$2 && shift 2 ;;
    --hours) value "$1" "$@" && hours=$2 && shift 2 ;;
    --dry-run) dry_run=true && shift ;;
    --help) usage && exit ;;
    -*) usage_error "Unknown option: $1" ;;
    *)
      [ -z "$query" ] || usage_error 'Put the query into quotes: it is one argument.'
      query=$1 && shift
      ;;
  esac
done
[ -n "$stack" ] || usage_error 'Specify --stack.'
[ -n "$query" ] || usage_error 'Specify a query.'
[[ $hours =~ ^[1-9][0-9]{0,4}$ ]] || usage_error '--hours needs a number from 1 to 99999.'
require_tools aws jq

groups=()
while IFS= read -r group; do groups+=("$group"); done < <(aws cloudformation list-stack-resources --stack-name "$stack" \
  --output json | jq --raw-output --arg id "$logs" '.StackResourceSummaries[] | select(.ResourceType == "AWS::Logs::LogGroup")
    | select($id == "" or .LogicalResourceId == $id).PhysicalResourceId')
[ "${#groups[@]}" -gt 0 ] || fail "Stack $stack has no log group${logs:+ $logs}, or you have no access to it."
now=$(date +%s)
start=(aws logs start-query --log-group-names "${groups[@]}" --start-time $((now - hours * 3600)) --end-time "$now"
  --query-string "$query" --query queryId --output text)
if $dry_run; then
  change "${start[@]}"
  exit
fi
id=$("${start[@]}")
# Logs Insights ends a query after 60 minutes.
for ((turn = 0; turn < 3600; turn++)); do
  sleep 1
  results=$(aws logs get-query-results --query-id "$id" --output json)
  case $(jq --raw-output .status <<<"$results") in
    Scheduled | Running) continue ;;
    Complete)
      jq --raw-output '.results[] | map(select(.field != "@ptr") | "\(.field)=\(.value)") | join("\t")' <<<"$results"
      printf '%s results\n' "$(jq '.results | length' <<<"$results")" >&2
      exit
      ;;
    *) fail "The query ended with the status $(jq --raw-output .status <<<"$results")." ;;
  esac
done
fail 'The query did not end.'
