#!/usr/bin/env bash
# Restores the table from a point in time, and makes the restored table that of the stack.
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat <<'END'
Usage: restore-table.sh --stack STACK --restored NAME [--at TIME] --s3-bucket BUCKET [--dry-run]
       restore-table.sh --table TABLE --restored NAME [--at TIME] [--dry-run]
       restore-table.sh --template FILE --restored NAME --arn ARN

The first form stops ingest, restores the table as it was at a point in time into a new table, and replaces the table of
the stack with it. It also does that with a table that exists, such as that of a deleted stack. The old table is kept.
The script can be interrupted and run again with the same arguments.

WARNING: The API fails from the first change of the stack until the deployments that the script prints at its end.

  --stack STACK       The stack.
  --table TABLE       Only restore this table. Change no stack.
  --restored NAME     The restored table. If it does not exist, it is created.
  --at TIME           The point in time in UTC, for example 2026-10-31T12:00:00Z. Needed to create the restored table.
  --s3-bucket BUCKET  A bucket for the stack's template, for example the one of SAM CLI. Not the stack's own.
  --template FILE     Only print the two templates of this procedure for a processed template, as an array.
  --arn ARN           The ARN of the restored table.
  --dry-run           Print the commands instead of running them.
  --help              Print this text.

Permissions: those of a deployment of the stack, and dynamodb:RestoreTableToPointInTime, dynamodb:DescribeTable,
dynamodb:DescribeContinuousBackups, dynamodb:DescribeTimeToLive, dynamodb:UpdateContinuousBackups,
dynamodb:UpdateTimeToLive, dynamodb:UpdateTable. DynamoDB also needs the permissions to write the new table:
dynamodb:Scan, dynamodb:Query, dynamodb:GetItem, dynamodb:PutItem, dynamodb:UpdateItem, dynamodb:DeleteItem,
dynamodb:BatchWriteItem.
END
}

stack='' table='' restored='' at='' bucket='' template='' arn=''
while [ "$#" -gt 0 ]; do
  case $1 in
    --stack) value "$1" "$@" && stack=$2 && shift 2 ;;
    --table) value "$1" "$@" && table=$2 && shift 2 ;;
    --restored) value "$1" "$@" && restored=$2 && shift 2 ;;
    --at) value "$1" "$@" && at=$2 && shift 2 ;;
    --s3-bucket) value "$1" "$@" && bucket=$2 && shift 2 ;;
    --template) value "$1" "$@" && template=$2 && shift 2 ;;
    --arn) value "$1" "$@" && arn=$2 && shift 2 ;;
    --dry-run) dry_run=true && shift ;;
    --help) usage && exit ;;
    *) usage_error "Unknown argument: $1" ;;
  esac
done
[ -n "$restored" ] || usage_error 'Specify --restored.'
forms=("${stack:+stack}" "${table:+table}" "${template:+template}")
[[ ${forms[*]} =~ ^\ *[a-z]+\ *$ ]] || usage_error 'Specify one of --stack, --table and --template.'

# Prints two templates for a processed one: `templates FILE NAME ARN`. In the first, the table is not part of the stack, and all resources
# that refer to it have the name and the ARN of the restored one. The second also contains the restored table.
templates() {
  jq --arg name "$2" --arg arn "$3" '
    (if type == "string" then fromjson else . end)
    | (.Resources.Table // error("The template has no Table.")) as $table
    | del(.Resources.Table)
    | walk(
        if . == {Ref: "Table"} then $name
        elif . == {"Fn::GetAtt": ["Table", "Arn"]} or . == {"Fn::GetAtt": "Table.Arn"} then $arn
        elif type == "object" and (.["Fn::Sub"] | type) == "string"
        then .["Fn::Sub"] |= (gsub("\\$\\{Table\\.Arn\\}"; $arn) | gsub("\\$\\{Table\\}"; $name))
        else . end)
    | if [.. | strings | select(. == "Table" or test("\\$\\{Table[.}]"))] != [] then error("The template still refers to Table.") else . end
    | [., .Resources.Table = ($table | .Properties.TableName = $name | .DeletionPolicy = "Retain")]
  ' "$1"
}

if [ -n "$template" ]; then
  [ -n "$arn" ] || usage_error 'Specify --arn.'
  require_tools jq
  templates "$template" "$restored" "$arn"
  exit
fi
require_tools aws jq
if [ -n "$stack" ]; then
  [ -n "$bucket" ] || usage_error 'Specify --s3-bucket.'
  table=$(stack_output "$stack" TableName)
  ingest=$(stack_output "$stack" IngestFunctionName)
  [ "$bucket" != "$(stack_output "$stack" BucketName)" ] || usage_error '--s3-bucket must not be the bucket of the stack.'
  [ "$(stack_parameter "$stack" RemovalPolicy)" = Retain ] ||
    fail 'RemovalPolicy is not Retain, so the stack would delete the old table. Deploy with RemovalPolicy=Retain first.'
  stop_ingest "$ingest"
else
  [ "$restored" != "$table" ] || usage_error '--restored must not be the table itself.'
fi
umask 077
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

status=$(table_status "$restored")
if [ -z "$status" ]; then
  [ -n "$at" ] || usage_error "Table $restored does not exist. Specify --at to create it."
  jq --null-input --arg at "$at" '$at | fromdate' >/dev/null 2>&1 || usage_error "Not a time such as 2026-10-31T12:00:00Z: $at"
  change aws dynamodb restore-table-to-point-in-time --source-table-name "$table" --target-table-name "$restored" \
    --restore-date-time "$at" --output text --query TableDescription.TableStatus
  if $dry_run; then
    printf 'The other commands can be printed when %s exists.\n' "$restored"
    exit
  fi
  status=CREATING
fi
wait_for_table "$restored" "$status"
printf '%s is active.\n' "$restored"

# A restored table has the indexes and the encryption of the original, but not these.
aws dynamodb describe-table --table-name "$restored" --output json >"$folder/table.json"
arn=$(jq --raw-output .Table.TableArn "$folder/table.json")
case $(aws dynamodb describe-time-to-live --table-name "$restored" --query TimeToLiveDescription.TimeToLiveStatus --output text) in
  ENABLED | ENABLING) printf 'Time to live is on.\n' ;;
  *) change aws dynamodb update-time-to-live --table-name "$restored" --time-to-live-specification Enabled=true,AttributeName=expires_at --output text ;;
esac
if jq --exit-status .Table.DeletionProtectionEnabled "$folder/table.json" >/dev/null; then
  printf 'Deletion protection is on.\n'
else
  change aws dynamodb update-table --table-name "$restored" --deletion-protection-enabled --output text --query TableDescription.TableStatus
fi
change aws dynamodb update-continuous-backups --table-name "$restored" --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true \
  --output text --query ContinuousBackupsDescription.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus
if [ -z "$stack" ]; then
  $dry_run || printf '%s is complete.\n' "$restored"
  exit
fi

held=$(aws cloudformation list-stack-resources --stack-name "$stack" --output json | jq --raw-output \
  '.StackResourceSummaries[] | select(.LogicalResourceId == "Table" and (.ResourceStatus | startswith("DELETE_") | not)).PhysicalResourceId')
if [ -n "$held" ] && [ "$held" != "$restored" ]; then
  aws cloudformation get-template --stack-name "$stack" --template-stage Processed --query TemplateBody --output json >"$folder/deployed.json"
  templates "$folder/deployed.json" "$restored" "$arn" >"$folder/both.json"
  jq '.[0]' "$folder/both.json" >"$folder/detached.json"
  jq '.[1]' "$folder/both.json" >"$folder/attached.json"
  # A second run needs it, because the stack then no longer contains the definition of the table.
  change aws s3 cp --only-show-errors "$folder/attached.json" "s3://$bucket/$stack-attached.json"
  change aws cloudformation deploy --stack-name "$stack" --template-file "$folder/detached.json" --s3-bucket "$bucket" \
    --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND
  held=''
fi
if [ -z "$held" ]; then
  url=$(aws s3 presign "s3://$bucket/$stack-attached.json")
  jq --null-input --arg name "$restored" \
    '[{ResourceType: "AWS::DynamoDB::Table", LogicalResourceId: "Table", ResourceIdentifier: {TableName: $name}}]' >"$folder/import.json"
  aws cloudformation describe-stacks --stack-name "$stack" --output json |
    jq '[.Stacks[0].Parameters[] | {ParameterKey, UsePreviousValue: true}]' >"$folder/parameters.json"
  change aws cloudformation create-change-set --stack-name "$stack" --change-set-name restored-table --change-set-type IMPORT \
    --template-url "${url%%\?*}" --resources-to-import "file://$folder/import.json" --parameters "file://$folder/parameters.json" \
    --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND --output text --query Id
  change aws cloudformation wait change-set-create-complete --stack-name "$stack" --change-set-name restored-table
  change aws cloudformation execute-change-set --stack-name "$stack" --change-set-name restored-table
  change aws cloudformation wait stack-import-complete --stack-name "$stack"
  change aws s3 rm --only-show-errors "s3://$bucket/$stack-attached.json"
else
  printf '%s is already the table of %s.\n' "$restored" "$stack"
fi
# The updates of the function may have set its concurrency again.
stop_ingest "$ingest"

# A version of a function keeps the name of the table, so each function needs a new version.
tracing=$(stack_parameter "$stack" Tracing)
other=on
[ "$tracing" = off ] || other=off
cat <<END
Now give the name to all functions, with the release that is deployed:
  sam build --config-env ENVIRONMENT
  sam deploy --config-env ENVIRONMENT --parameter-overrides RestoredTable=$restored Tracing=$other
  sam deploy --config-env ENVIRONMENT --parameter-overrides RestoredTable=$restored Tracing=$tracing
END
