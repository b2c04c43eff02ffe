#!/usr/bin/env bash
# Sends dead-lettered events to ingest, ingest-check or audit again, and deletes each one that Lambda accepted.
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat <<'END'
Usage: redrive-failures.sh --stack STACK [--dry-run]
       redrive-failures.sh --queue URL --function NAME [--dry-run]

Sends the events in the failure queue again: those of ingest-check and audit to these functions, all others to ingest.
An event is deleted from the queue only after Lambda accepted it. Imports continue from their stored progress, so
sending an event twice does no harm. Audit lines may then be in the audit log twice.

  --stack STACK    The stack, from which queue and function are read.
  --queue URL      The URL of the failure queue.
  --function NAME  The name of the function; its alias `live` receives all events.
  --dry-run        Print up to ten events with their errors. Change nothing.
  --help           Print this text.

Permissions: sqs:GetQueueAttributes, sqs:ReceiveMessage, sqs:DeleteMessage, lambda:InvokeFunction, and
cloudformation:DescribeStacks with --stack.
END
}

stack='' queue='' function='' check='' audit=''
while [ "$#" -gt 0 ]; do
  case $1 in
    --stack) value "$1" "$@" && stack=$2 && shift 2 ;;
    --queue) value "$1" "$@" && queue=$2 && shift 2 ;;
    --function) value "$1" "$@" && function=$2 && shift 2 ;;
    --dry-run) dry_run=true && shift ;;
    --help) usage && exit ;;
    *) usage_error "Unknown argument: $1" ;;
  esac
done
if [ -n "$stack" ]; then
  [ -z "$queue$function" ] || usage_error 'Specify either --stack, or --queue and --function.'
  require_tools aws jq
  queue=$(stack_output "$stack" IngestFailuresUrl)
  function=$(stack_output "$stack" IngestFunctionName)
  check=$(stack_output "$stack" IngestCheckFunctionName)
  audit=$(stack_output "$stack" AuditFunctionName)
else
  [ -n "$queue" ] && [ -n "$function" ] || usage_error 'Specify --stack, or --queue and --function.'
  require_tools aws jq
fi

waiting=$(aws sqs get-queue-attributes --queue-url "$queue" --attribute-names ApproximateNumberOfMessages --output text \
  --query Attributes.ApproximateNumberOfMessages)
printf '%s events wait in the queue.\n' "$waiting"

# Prints the name of the function that an event belongs to.
target() {
  local failed
  failed=$(jq --raw-output '.Body | fromjson | .requestContext.functionArn // "" | split(":")[6] // ""')
  if [ -n "$failed" ] && { [ "$failed" = "$check" ] || [ "$failed" = "$audit" ]; }; then printf '%s' "$failed"; else printf '%s' "$function"; fi
}

# Prints a dead-lettered event in one line: when and why it failed, and the objects that it names.
describe() {
  jq --raw-output '.Body | fromjson
    | "\(.timestamp) \(.requestContext.condition) request \(.requestContext.requestId): "
      + "\(.responsePayload.errorType? // "no response") \(.responsePayload.errorMessage? // "") "
      + "[\([.requestPayload.Records[]?.s3.object | "\(.key) \(.versionId // "")"] | join(", "))]"'
}

if $dry_run; then
  aws sqs receive-message --queue-url "$queue" --max-number-of-messages 10 --visibility-timeout 1 --wait-time-seconds 1 --output json |
    jq --compact-output '.Messages[]?' | while IFS= read -r message; do describe <<<"$message"; done
  exit
fi

umask 077
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sent=0
# The bound ends the loop if events fail again and return to the queue meanwhile.
for ((turn = 0; turn < waiting + 10; turn++)); do
  aws sqs receive-message --queue-url "$queue" --max-number-of-messages 1 --wait-time-seconds 2 --output json >"$folder/messages.json"
  jq --compact-output '.Messages[0]? // empty' "$folder/messages.json" >"$folder/message.json"
  [ -s "$folder/message.json" ] || break
  describe <"$folder/message.json"
  jq '.Body | fromjson | .requestPayload // error("The message has no requestPayload.")' "$folder/message.json" >"$folder/event.json" ||
    fail 'The message is not an invocation record. It stays in the queue.'
  aws lambda invoke --function-name "$(target <"$folder/message.json"):live" --invocation-type Event --cli-binary-format raw-in-base64-out \
    --payload "file://$folder/event.json" --output text --query StatusCode "$folder/response" >/dev/null ||
    fail 'Lambda did not accept the event. It stays in the queue.'
  aws sqs delete-message --queue-url "$queue" --receipt-handle "$(jq --raw-output .ReceiptHandle "$folder/message.json")"
  sent=$((sent + 1))
done
printf '%s events sent again.\n' "$sent"
