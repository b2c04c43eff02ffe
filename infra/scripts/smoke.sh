#!/usr/bin/env bash
# Checks a deployed stack for what no test can show without AWS.
set -euo pipefail

usage() {
  cat <<'END'
Usage: smoke.sh STACK
       TOKEN=... smoke.sh STACK

Checks a deployed stack: the API rejects requests without a valid token, a dropped file is imported, and roles, table,
bucket and deployments are as the template specifies. Each line shows one check. The exit status is 1 if a check failed.

The script makes one change: it drops a file with one made-up customer, smoke@customer-profiles.invalid.

  STACK   The stack.
  TOKEN   An access token with profiles:read. With it, the script also reads through the API.
  --help  Print this text.

It needs the AWS CLI, jq and curl 7.82 or newer.
END
}

case ${1:-} in
  --help) usage && exit ;;
  '' | -*) usage >&2 && exit 2 ;;
esac
stack=$1
description=$(aws cloudformation describe-stacks --stack-name "$stack" --query 'Stacks[0]' --output json)
output() { jq --exit-status --raw-output --arg key "$1" '.Outputs[] | select(.OutputKey == $key).OutputValue' <<<"$description"; }
parameter() { jq --raw-output --arg key "$1" '.Parameters[] | select(.ParameterKey == $key).ParameterValue' <<<"$description"; }
api=$(output ApiUrl) bucket=$(output BucketName) table=$(output TableName) queue=$(output IngestFailuresUrl)
profile_read=$(output ProfileReadFunctionName) note_write=$(output NoteWriteFunctionName) profile_write=$(output ProfileWriteFunctionName) imports=$(output ImportsFunctionName)
history=$(output HistoryFunctionName) ingest=$(output IngestFunctionName) ingest_check=$(output IngestCheckFunctionName)

failed=0
# check WHAT EXPECTED ACTUAL
check() {
  if [ "$2" = "$3" ]; then
    printf 'ok    %s: %s\n' "$1" "$3"
  else
    printf 'WRONG %s: %s instead of %s\n' "$1" "$3" "$2"
    failed=1
  fi
}
# Prints the response of an AWS command as text, or its error message.
ask() { aws "$@" --output text 2>&1 || true; }
status() { curl --silent --output /dev/null --write-out '%{http_code}' "$@"; }

echo '== API: fails closed'
id=aaaaaaaaaaaaaaaaaaaaaaaaaa
for path in "/profiles/$id" "/profiles/$id/notes" "/profiles/$id/history"; do
  check "GET $path without a token" 401 "$(status "$api$path")"
  check "GET $path with a forged token" 401 "$(status --header 'authorization: Bearer e30.e30.e30' "$api$path")"
done
check 'POST /profiles/lookup without a token' 401 "$(status --json '{}' "$api/profiles/lookup")"
check 'POST notes without a token' 401 "$(status --json '{}' "$api/profiles/$id/notes")"
if [ -n "${TOKEN:-}" ]; then
  check 'an unknown profile' 404 "$(status --header "authorization: Bearer $TOKEN" "$api/profiles/$id")"
  unscoped=$(status --header "authorization: Bearer $TOKEN" --header 'idempotency-key: smoke' --json '{"text":"x"}' \
    "$api/profiles/$id/notes")
  # 403 if the token lacks notes:write, else 404. In both cases no note is written.
  check 'a note on an unknown profile is refused' true "$([[ $unscoped == 40[34] ]] && echo true || echo "$unscoped")"
fi

echo '== Ingest: from the drop to the report'
key=drop/customer_record/smoke/smoke.ndjson
file=$(mktemp)
trap 'rm -f "$file"' EXIT
echo '{"link":{"email":"smoke@customer-profiles.invalid"},"first_name":"Smoke"}' >"$file"
version=$(aws s3api put-object --bucket "$bucket" --key "$key" --body "$file" --query VersionId --output text)
report=reports/$key/$version.json
if aws s3api wait object-exists --bucket "$bucket" --key "$report"; then
  aws s3api get-object --bucket "$bucket" --key "$report" "$file" >/dev/null
  check 'the import' 'completed 1 1' "$(jq --raw-output '"\(.status) \(.read) \(.written)"' "$file")"
else
  check 'the report' there missing
fi
check 'dead-lettered events' 0 \
  "$(ask sqs get-queue-attributes --queue-url "$queue" --attribute-names ApproximateNumberOfMessages --query Attributes.ApproximateNumberOfMessages)"
if [ -n "${TOKEN:-}" ]; then
  check 'its profile' 200 "$(status --header "authorization: Bearer $TOKEN" \
    --json '{"email":"smoke@customer-profiles.invalid"}' "$api/profiles/lookup")"
fi

echo '== Functions'
check 'ingest may start itself' Allow \
  "$(ask lambda get-function-recursion-config --function-name "$ingest" --query RecursiveLoop)"
check 'concurrent invocations of ingest' "$(parameter IngestConcurrency)" \
  "$(ask lambda get-function-concurrency --function-name "$ingest" --query ReservedConcurrentExecutions)"
queue_arn=$(ask sqs get-queue-attributes --queue-url "$queue" --attribute-names QueueArn --query Attributes.QueueArn)
for function in "$ingest" "$ingest_check"; do
  check "where failed events of $function go" "$queue_arn" "$(ask lambda get-function-event-invoke-config --function-name "$function" \
    --qualifier live --query DestinationConfig.OnFailure.Destination)"
done
for function in "$profile_read" "$note_write" "$profile_write" "$history" "$imports" "$ingest" "$ingest_check"; do
  check "$function runs on" "$(parameter Architecture)" \
    "$(ask lambda get-function-configuration --function-name "$function" --qualifier live --query 'Architectures[0]')"
done
check 'note-write has the identity key' None \
  "$(ask lambda get-function-configuration --function-name "$note_write" --query Environment.Variables.IDENTITY_KEY)"
check 'history has the identity key' None \
  "$(ask lambda get-function-configuration --function-name "$history" --query Environment.Variables.IDENTITY_KEY)"

echo '== Roles'
table_arn=$(ask dynamodb describe-table --table-name "$table" --query Table.TableArn)
# may FUNCTION ACTION RESOURCE EXPECTED
may() {
  local role
  role=$(ask lambda get-function-configuration --function-name "$1" --query Role)
  check "$1: $2 on ${3##*:}" "$4" "$(ask iam simulate-principal-policy --policy-source-arn "$role" --action-names "$2" \
    --resource-arns "$3" --query 'EvaluationResults[0].EvalDecision')"
}
may "$profile_read" dynamodb:Query "$table_arn" allowed
may "$profile_read" dynamodb:PutItem "$table_arn" implicitDeny
may "$history" dynamodb:DeleteItem "$table_arn" implicitDeny
may "$note_write" dynamodb:Scan "$table_arn" implicitDeny
may "$profile_write" dynamodb:ConditionCheckItem "$table_arn" allowed
may "$profile_write" dynamodb:Scan "$table_arn" implicitDeny
may "$imports" dynamodb:Scan "$table_arn" implicitDeny
may "$ingest" dynamodb:Scan "$table_arn" implicitDeny
may "$ingest" s3:GetObjectVersion "arn:aws:s3:::$bucket/drop/x" allowed
may "$ingest" s3:GetObjectVersion "arn:aws:s3:::$bucket/reports/x" implicitDeny
may "$ingest" s3:PutObject "arn:aws:s3:::$bucket/drop/x" implicitDeny
may "$ingest_check" dynamodb:PutItem "$table_arn" implicitDeny
may "$ingest_check" dynamodb:PartiQLInsert "$table_arn" implicitDeny
may "$ingest_check" s3:GetObject "arn:aws:s3:::$bucket/mappings/x" allowed
may "$ingest_check" s3:GetObjectVersion "arn:aws:s3:::$bucket/drop/x" implicitDeny
may "$ingest_check" s3:PutObject "arn:aws:s3:::$bucket/drop/x" implicitDeny
may "$ingest_check" s3:PutObject "arn:aws:s3:::$bucket/reports/drop/x" implicitDeny
may "$ingest" logs:PutLogEvents "arn:aws:logs:us-east-1:000000000000:log-group:another:*" implicitDeny

echo '== Table and bucket'
check 'point-in-time recovery' ENABLED "$(ask dynamodb describe-continuous-backups --table-name "$table" \
  --query ContinuousBackupsDescription.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus)"
check 'the table is protected from deletion' "$([ "$(parameter RemovalPolicy)" = Retain ] && echo True || echo False)" \
  "$(ask dynamodb describe-table --table-name "$table" --query Table.DeletionProtectionEnabled)"
check 'the table is encrypted by' KMS "$(ask dynamodb describe-table --table-name "$table" --query Table.SSEDescription.SSEType)"
check 'time to live' ENABLED \
  "$(ask dynamodb describe-time-to-live --table-name "$table" --query TimeToLiveDescription.TimeToLiveStatus)"
check 'public access is blocked' 'True True True True' "$(ask s3api get-public-access-block --bucket "$bucket" --query \
  'PublicAccessBlockConfiguration.[BlockPublicAcls,IgnorePublicAcls,BlockPublicPolicy,RestrictPublicBuckets]' | tr '\t' ' ')"
check 'the bucket keeps versions' Enabled "$(ask s3api get-bucket-versioning --bucket "$bucket" --query Status)"
check 'raw files expire after days' "$(parameter RawFileDays)" "$(ask s3api get-bucket-lifecycle-configuration \
  --bucket "$bucket" --query "Rules[?ID=='raw-files'].Expiration.Days")"
# The same signed address with TLS and without: the signature does not cover the scheme.
signed=$(aws s3 presign "s3://$bucket/$key" --expires-in 300)
check 'S3 with TLS' 200 "$(status "$signed")"
check 'S3 without TLS' 403 "$(status "${signed/#https:/http:}")"

echo '== Deployments'
application=$(ask cloudformation describe-stack-resources --stack-name "$stack" \
  --query "StackResources[?ResourceType=='AWS::CodeDeploy::Application'].PhysicalResourceId")
for group in $(ask cloudformation describe-stack-resources --stack-name "$stack" \
  --query "StackResources[?ResourceType=='AWS::CodeDeploy::DeploymentGroup'].PhysicalResourceId"); do
  last=$(ask deploy list-deployments --application-name "$application" --deployment-group-name "$group" --query 'deployments[0]')
  # The first deployment of a stack needs none.
  [ "$last" = None ] || check "$group" Succeeded "$(ask deploy get-deployment --deployment-id "$last" --query deploymentInfo.status)"
done

[ "$failed" -eq 0 ] && echo 'All checks passed.'
exit "$failed"
