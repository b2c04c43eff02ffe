#!/usr/bin/env bash
# Stops ingest, or starts it again.
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat <<'END'
Usage: pause-ingest.sh --stack STACK [--resume] [--dry-run]

Stops ingest: no file is imported until you run the script with --resume. While ingest is stopped, Lambda moves the
events of new files to the failure queue, and the alarm `ingest-failures` goes off. After --resume, run
redrive-failures.sh. Mappings are still checked, because a check stores nothing in the table.

  --stack STACK  The stack.
  --resume       Start ingest again, with the stack's IngestConcurrency.
  --dry-run      Print the command instead of running it.
  --help         Print this text.

Invocations that are running end by themselves, within 15 minutes.

Permissions: cloudformation:DescribeStacks, lambda:PutFunctionConcurrency, lambda:DeleteFunctionConcurrency.
END
}

stack='' resume=false
while [ "$#" -gt 0 ]; do
  case $1 in
    --stack) value "$1" "$@" && stack=$2 && shift 2 ;;
    --resume) resume=true && shift ;;
    --dry-run) dry_run=true && shift ;;
    --help) usage && exit ;;
    *) usage_error "Unknown argument: $1" ;;
  esac
done
[ -n "$stack" ] || usage_error 'Specify --stack.'
require_tools aws jq
function=$(stack_output "$stack" IngestFunctionName)
if $resume; then
  concurrency=$(stack_parameter "$stack" IngestConcurrency)
  start_ingest "$function" "$concurrency"
  if [ "$concurrency" = 0 ]; then concurrency='any number of'; else concurrency="at most $concurrency"; fi
  $dry_run || printf 'Ingest runs, with %s concurrent invocations.\n' "$concurrency"
else
  stop_ingest "$function"
  $dry_run || printf 'Ingest is stopped.\n'
fi
