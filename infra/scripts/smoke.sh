#!/usr/bin/env bash
# Checks a deployed stack for what no test can show without AWS.
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat <<'END'
Usage: [TOKEN=...] [BARE_TOKEN=...] smoke.sh STACK [--failures]
       smoke.sh --api URL --bucket NAME --table NAME [--origin ORIGIN]

The first form checks a deployed stack: that the API refuses requests without a valid token, that dropped files are
imported, and that functions, roles, keys, logs, table, bucket and deployments are as the template specifies. The second
form checks only what needs no other service of AWS, for a stack without an authorizer such as the local one.

Each check prints one line. The script ends at the first check that fails, with exit status 1.

It drops two files with one made-up customer, smoke@customer-profiles.invalid.

  STACK            The stack.
  --failures       Also make ingest fail once, to see its event in the failure queue. It takes about 5 minutes, and the
                   alarms ingest-errors and ingest-failures go off.
  --api URL        The address of the API.
  --bucket NAME    The bucket.
  --table NAME     The table.
  --origin ORIGIN  An origin of CorsOrigins. With a stack, its first origin is checked.
  TOKEN            An access token with profiles:read, and with profiles:lookup if SeparateLookup is on. With it, the
                   script also reads through the API, and tries all routes whose scopes it lacks.
  BARE_TOKEN       An access token without any scope of the API. With it, the script tries all routes.
  --help           Print this text.

It needs AWS CLI version 2, jq, openssl, and curl 7.82 or newer.
END
}

stack='' api='' bucket='' table='' origin='' failures=false
while [ "$#" -gt 0 ]; do
  case $1 in
    --failures) failures=true && shift ;;
    --api) value "$1" "$@" && api=$2 && shift 2 ;;
    --bucket) value "$1" "$@" && bucket=$2 && shift 2 ;;
    --table) value "$1" "$@" && table=$2 && shift 2 ;;
    --origin) value "$1" "$@" && origin=$2 && shift 2 ;;
    --help) usage && exit ;;
    -*) usage_error "Unknown argument: $1" ;;
    *) [ -z "$stack" ] || usage_error 'Specify one stack.' && stack=$1 && shift ;;
  esac
done
[ -z "$stack" ] || [ -z "$api$bucket$table$origin" ] || usage_error 'Specify either a stack, or --api, --bucket and --table.'
[ -n "$stack" ] || { [ -n "$api" ] && [ -n "$bucket" ] && [ -n "$table" ]; } || usage_error 'Specify a stack, or --api, --bucket and --table.'
require_tools aws jq curl openssl
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
umask 077

# Prints a line, and ends the script if a check failed: `check WHAT EXPECTED ACTUAL`.
check() {
  if [ "$2" != "$3" ]; then
    printf 'WRONG %s: %s instead of %s\n' "$1" "$(tr '\n' ' ' <<<"$3" | sed 's/^ *//; s/ *$//')" "$2"
    exit 1
  fi
  printf 'ok    %s: %s\n' "$1" "$3"
}
# Prints why a check was not made.
skip() { printf 'skip  %s: %s\n' "$1" "$2"; }
warn() { printf 'warn  %s: %s\n' "$1" "$2"; }
# Prints the response of an AWS command as text, or its error message.
ask() { aws "$@" --output text 2>&1 || true; }
# Prints the status of a response.
status() { curl --silent --output /dev/null --write-out '%{http_code}' "$@"; }
# Prints `a number above 0` if the first line is one, else the line.
positive() {
  local first=${1%%$'\n'*}
  if [[ $first =~ ^[1-9] ]]; then echo 'a number above 0'; else echo "$first"; fi
}
# Prints the first 12 digits of the hash of the standard input.
short_hash() { openssl dgst -sha256 -r | cut -c 1-12; }

if [ -n "$stack" ]; then
  aws cloudformation describe-stacks --stack-name "$stack" --query 'Stacks[0]' --output json >"$folder/stack.json"
  # The CLI reads all pages. describe-stack-resources returns 100 resources.
  aws cloudformation list-stack-resources --stack-name "$stack" --output json >"$folder/resources.json"
  aws cloudformation get-template --stack-name "$stack" --template-stage Processed --query TemplateBody --output json |
    jq 'if type == "string" then fromjson else . end' >"$folder/template.json"
fi
output() { jq --exit-status --raw-output --arg key "$1" '.Outputs[] | select(.OutputKey == $key).OutputValue' "$folder/stack.json"; }
parameter() { jq --raw-output --arg key "$1" '.Parameters[] | select(.ParameterKey == $key).ParameterValue' "$folder/stack.json"; }
# Prints the physical IDs of all resources of a type.
resources() { jq --raw-output --arg type "$1" '.StackResourceSummaries[] | select(.ResourceType == $type).PhysicalResourceId' "$folder/resources.json"; }
resource() { jq --exit-status --raw-output --arg id "$1" '.StackResourceSummaries[] | select(.LogicalResourceId == $id).PhysicalResourceId' "$folder/resources.json"; }

if [ -n "$stack" ]; then
  api=$(output ApiUrl) bucket=$(output BucketName) table=$(output TableName) queue=$(output IngestFailuresUrl)
  origin=$(parameter CorsOrigins | cut -d , -f 1)
  ingest=$(output IngestFunctionName) ingest_check=$(output IngestCheckFunctionName)
  profile_read=$(output ProfileReadFunctionName) profile_write=$(output ProfileWriteFunctionName)
  audit=$(output AuditFunctionName) audit_logs=$(output AuditLogGroup)
  note_write=$(output NoteWriteFunctionName) history=$(output HistoryFunctionName) imports=$(output ImportsFunctionName)
  functions=()
  while IFS= read -r function; do functions+=("$function"); done < <(resources AWS::Lambda::Function)
  table_arn=$(ask dynamodb describe-table --table-name "$table" --query Table.TableArn)
  partition=$(cut -d : -f 2 <<<"$table_arn") region=$(cut -d : -f 4 <<<"$table_arn") account=$(cut -d : -f 5 <<<"$table_arn")
  data_key=$(output DataKeyArn)
fi
# The curl options of a request that may read. The local stack has no authorizer.
printf '%s' "${TOKEN:+header = \"authorization: Bearer $TOKEN\"}" >"$folder/token"
printf '%s' "${BARE_TOKEN:+header = \"authorization: Bearer $BARE_TOKEN\"}" >"$folder/bare"
reads=true
[ -z "$stack" ] || [ -n "${TOKEN:-}" ] || reads=false
id=aaaaaaaaaaaaaaaaaaaaaaaaaa

# Prints the status of a request to a route: `try CONFIG METHOD PATH`. Placeholders of the path become an ID that does not exist.
try() {
  local path
  path=$(sed -E "s/\{[A-Za-z]+\}/$id/g" <<<"$3")
  if [[ $2 = P* ]]; then
    status --config "$1" --request "$2" --header 'content-type: application/json' --data '{}' "$api$path"
  else
    status --config "$1" --request "$2" "$api$path"
  fi
}

# Prints the scopes of a token.
scopes() { jq --raw-input --raw-output 'split(".")[1] | gsub("-"; "+") | gsub("_"; "/") | @base64d | fromjson | (.scope // .scp // "") | if type == "array" then join(" ") else . end' <<<"$1"; }

check_routes() {
  local method path names scope held
  # The template's routes: method, path and scopes.
  jq --raw-output --arg separate "$(parameter SeparateLookup)" '[.Resources[] | select(.Type == "AWS::ApiGatewayV2::Api")][0].Properties.Body.paths
    | to_entries[] | .key as $path | .value | to_entries[] | select(.value.security)
    | (.value.security[0] | to_entries[0].value | map(if type == "string" then . elif $separate == "on" then empty else .["Fn::If"][2] end)) as $scopes
    | "\(.key | ascii_upcase) \($path) \($scopes | join(","))"' \
    "$folder/template.json" | sort >"$folder/routes"
  [ -s "$folder/routes" ] || fail 'The template has no routes.'
  aws apigatewayv2 get-routes --api-id "$(resource Api)" --output json |
    jq --raw-output '.Items[] | select(.AuthorizationType == "JWT") | "\(.RouteKey) \(.AuthorizationScopes // [] | join(","))"' | sort >"$folder/deployed"
  check 'routes behind the authorizer' "$(wc -l <"$folder/routes")" "$(wc -l <"$folder/deployed")"
  check 'routes without an authorizer' 0 "$(ask apigatewayv2 get-routes --api-id "$(resource Api)" \
    --query "length(Items[?AuthorizationType!='JWT' && RouteKey!='OPTIONS /{proxy+}'])")"
  while read -r method path names; do
    check "scopes of $method $path" "$names" "$(grep -F "$method $path " "$folder/deployed" | cut -d ' ' -f 3)"
    check "$method $path without a token" 401 "$(try /dev/null "$method" "$path")"
    check "$method $path with a forged token" 401 \
      "$(try <(printf 'header = "authorization: Bearer e30.e30.e30"') "$method" "$path")"
    [ -z "${BARE_TOKEN:-}" ] || check "$method $path with a token without scopes" 403 "$(try "$folder/bare" "$method" "$path")"
    [ -n "${TOKEN:-}" ] || continue
    held=$(scopes "$TOKEN")
    for scope in ${names//,/ }; do [[ " $held " != *" $scope "* ]] || continue 2; done
    check "$method $path with a token that lacks $names" 403 "$(try "$folder/token" "$method" "$path")"
  done <"$folder/routes"
  [ -n "${TOKEN:-}" ] || skip 'routes with a token that lacks their scope' 'no TOKEN'
  [ -n "${BARE_TOKEN:-}" ] || skip 'routes with a token without scopes' 'no BARE_TOKEN'
}

check_address() {
  local found
  found=$(status "$api/profiles/$id" || true)
  check 'the API responds' yes "$([ "$found" = 000 ] && echo no || echo yes)"
}

check_browser_access() {
  local asked=(--silent --output /dev/null --request OPTIONS --header 'access-control-request-method: POST' --header
    'access-control-request-headers: authorization,content-type' --dump-header "$folder/headers")
  curl "${asked[@]}" --header 'origin: https://nobody.customer-profiles.invalid' "$api/profiles/lookup"
  check 'CORS preflight of an unknown page' 0 "$(grep -ci '^access-control-allow-origin:' "$folder/headers" || true)"
  if [ -n "$origin" ]; then
    curl "${asked[@]}" --header "origin: $origin" "$api/profiles/lookup"
    check "CORS preflight of $origin" "$origin" "$(grep -i '^access-control-allow-origin:' "$folder/headers" | cut -d ' ' -f 2 | tr -d '\r')"
  else
    skip 'CORS preflight of a known page' 'CorsOrigins is empty'
  fi
}

check_throttling() {
  local burst
  if [ -z "$stack" ]; then
    skip '429' 'only API Gateway throttles'
    return
  fi
  if ! $reads; then
    skip '429' 'no TOKEN'
    return
  fi
  burst=$(parameter ThrottleBurst)
  if [ "$burst" -gt 50 ]; then
    skip '429' "ThrottleBurst is $burst; it is checked up to 50"
    return
  fi
  curl --silent --config "$folder/token" --parallel --parallel-immediate --parallel-max 300 --output /dev/null --write-out '%{http_code}\n' \
    "$api/profiles/$id?_=[1-600]" >"$folder/statuses"
  check 'responses with 429 above the burst' 'a number above 0' "$(positive "$(grep -c 429 "$folder/statuses" || true)")"
}

check_responses() {
  if ! $reads; then
    skip 'responses of the API' 'no TOKEN'
    return
  fi
  check 'an unknown profile' 404 "$(status --config "$folder/token" "$api/profiles/$id")"
  # 403 if the token lacks notes:write, else 404. In both cases no note is written.
  check 'a note on an unknown profile is refused' 40x "$(status --config "$folder/token" --header 'idempotency-key: smoke' \
    --json '{"text":"x"}' "$api/profiles/$id/notes" | sed 's/^40[34]$/40x/')"
  # API Gateway accepts 10 MB.
  head -c 10500000 /dev/zero | tr '\0' ' ' >"$folder/large"
  check 'a body of 10.5 MB' 413 "$(status --config "$folder/token" --header 'content-type: application/json' --data-binary "@$folder/large" "$api/profiles/lookup")"
}

# Drops a file and waits for its report: `import NAME FILE`. Leaves the report in `report.json`.
import() {
  local key=drop/customer_record/smoke/$1 version
  version=$(aws s3api put-object --bucket "$bucket" --key "$key" --body "$2" --query VersionId --output text)
  aws s3api wait object-exists --bucket "$bucket" --key "reports/$key/$version.json" || check "the report of $key" 'there after 100 s' missing
  aws s3api get-object --bucket "$bucket" --key "reports/$key/$version.json" "$folder/report.json" >/dev/null
}
queued() { ask sqs get-queue-attributes --queue-url "$queue" --attribute-names ApproximateNumberOfMessages --query Attributes.ApproximateNumberOfMessages; }
imported() { jq --raw-output '"\(.status) \(.read) \(.written)"' "$folder/report.json"; }

check_imports() {
  local before='' rows bytes prefix
  [ -z "$stack" ] || before=$(queued)
  echo '{"link":{"email":"smoke@customer-profiles.invalid"},"first_name":"Smoke"}' >"$folder/one.ndjson"
  import smoke.ndjson "$folder/one.ndjson"
  check 'an import' 'completed 1 1' "$(imported)"
  bytes=${CHUNK_BYTES:-1048576}
  [ -z "$stack" ] || bytes=$(parameter ChunkBytes)
  if [ "$bytes" -le 8388608 ]; then
    rows=$((bytes / 70 + 1))
    jq --compact-output --argjson rows "$rows" '. as $row | range($rows) | $row' "$folder/one.ndjson" >"$folder/many.ndjson"
    import ranges.ndjson "$folder/many.ndjson"
    check 'an import in byte ranges' "completed $rows $rows" "$(imported)"
    prefix=work/$(jq --raw-output .import "$folder/report.json")/
    check 'its manifests under work/ are deleted' 'true 0' "$(aws s3api list-object-versions --bucket "$bucket" --prefix "$prefix" --output json |
      jq --raw-output '"\((.DeleteMarkers // [] | length) > 0) \([.Versions[]? | select(.IsLatest)] | length)"')"
  else
    skip 'an import in byte ranges' "ChunkBytes is $bytes; it is checked up to 8388608"
  fi
  [ -z "$stack" ] || check 'dead-lettered events during the imports' "$before" "$(queued)"
  if $reads; then
    curl --silent --config "$folder/token" --json '{"email":"smoke@customer-profiles.invalid"}' --header 'accept-encoding: gzip' \
      --dump-header "$folder/headers" --output "$folder/profile.gz" --write-out '%{http_code}' "$api/profiles/lookup" >"$folder/status"
    check 'its profile' 200 "$(cat "$folder/status")"
    cp "$folder/headers" "$folder/lookup"
    check 'its profile is compressed' true "$(grep -qi '^content-encoding: gzip' "$folder/headers" && gzip -dc <"$folder/profile.gz" | jq 'has("id")')"
  fi
}

check_deleted_version() {
  local key=drop/customer_record/smoke/gone.ndjson report=reports/drop/customer_record/smoke/gone.ndjson/null.json
  if [ -z "$stack" ]; then
    skip 'a deleted version' 'only Lambda can be given an event of one'
    return
  fi
  # The version `null` exists only in a bucket that once had no versioning.
  jq --null-input --arg bucket "$bucket" --arg key "$key" '{Records: [{eventVersion: "2.1", eventSource: "aws:s3", awsRegion: "us-east-1",
    eventTime: "2026-10-31T00:00:00.000Z", eventName: "ObjectCreated:Put", userIdentity: {principalId: "smoke"},
    requestParameters: {sourceIPAddress: "127.0.0.1"}, responseElements: {}, s3: {s3SchemaVersion: "1.0", configurationId: "smoke",
      bucket: {name: $bucket, ownerIdentity: {principalId: "smoke"}, arn: "arn:aws:s3:::\($bucket)"},
      object: {key: $key, size: 1, eTag: "e", versionId: "null", sequencer: "01"}}}]}' >"$folder/event.json"
  aws s3api delete-object --bucket "$bucket" --key "$report" --output text >/dev/null
  aws lambda invoke --function-name "$ingest:live" --cli-binary-format raw-in-base64-out --payload "file://$folder/event.json" \
    --output json "$folder/response" >"$folder/invocation.json"
  check 'ingest accepts a deleted version' null "$(jq --raw-output '.FunctionError' "$folder/invocation.json")"
  aws s3api get-object --bucket "$bucket" --key "$report" "$folder/report.json" >/dev/null || check "$report" there missing
  check 'the report of a deleted version' 'failed /problems/object-gone' "$(jq --raw-output '"\(.status) \(.problem.type)"' "$folder/report.json")"
}

check_failure_path() {
  local before now turn
  if ! $failures; then
    skip 'a failed event reaches the failure queue' 'no --failures'
    return
  fi
  before=$(queued)
  aws lambda invoke --function-name "$ingest:live" --invocation-type Event --cli-binary-format raw-in-base64-out --payload '{}' \
    --output text "$folder/response" >/dev/null
  # Lambda retries after 1 and 2 minutes.
  for ((turn = 0; turn < 40; turn++)); do
    now=$(queued)
    [ "$now" = "$before" ] || break
    sleep 15
  done
  check 'a failed event reaches the failure queue' "$((before + 1))" "$now"
  aws sqs receive-message --queue-url "$queue" --wait-time-seconds 10 --max-number-of-messages 10 --visibility-timeout 5 --output json |
    jq --raw-output '.Messages[]? | select(.Body | fromjson | .requestPayload == {}).ReceiptHandle' | sed -n 1p >"$folder/handle"
  check 'the event is deleted from the queue' 1 "$(wc -l <"$folder/handle")"
  aws sqs delete-message --queue-url "$queue" --receipt-handle "$(cat "$folder/handle")"
}

check_functions() {
  local function name expected
  check 'ingest may start itself' Allow "$(ask lambda get-function-recursion-config --function-name "$ingest" --query RecursiveLoop)"
  expected=$(parameter IngestConcurrency)
  [ "$expected" != 0 ] || expected=None
  check 'concurrent invocations of ingest' "$expected" \
    "$(ask lambda get-function-concurrency --function-name "$ingest" --query ReservedConcurrentExecutions)"
  local queue_arn
  queue_arn=$(ask sqs get-queue-attributes --queue-url "$queue" --attribute-names QueueArn --query Attributes.QueueArn)
  for function in "$ingest" "$ingest_check" "$audit"; do
    check "where failed events of $function go" "$queue_arn" "$(ask lambda get-function-event-invoke-config --function-name "$function" \
      --qualifier live --query DestinationConfig.OnFailure.Destination)"
  done
  # For each function, who S3 may invoke it for.
  for function in "$ingest" "$ingest_check"; do
    check "S3 invokes $function for" "arn:$partition:s3:::$bucket $account" \
      "$(ask lambda get-policy --function-name "$function" --qualifier live --query Policy | jq --raw-output '.Statement[] |
        select(.Principal.Service? == "s3.amazonaws.com").Condition | "\(.ArnLike["AWS:SourceArn"]) \(.StringEquals["AWS:SourceAccount"])"')"
  done
  aws secretsmanager get-secret-value --secret-id "$(output IdentityKeyArn)" --query SecretString --output json | jq --join-output . |
    short_hash >"$folder/key"
  for function in "${functions[@]}"; do
    check "$function: the alias is the newest version, without weights" \
      "$(aws lambda list-versions-by-function --function-name "$function" --output json | jq '[.Versions[].Version | tonumber?] | max') {}" \
      "$(aws lambda get-alias --function-name "$function" --name live --output json | jq --raw-output '"\(.FunctionVersion) \(.RoutingConfig.AdditionalVersionWeights // {})"')"
    aws lambda get-function-configuration --function-name "$function" --qualifier live --output json >"$folder/function.json"
    check "$function runs on" "$(parameter Architecture)" "$(jq --raw-output '.Architectures[0]' "$folder/function.json")"
    check "$function: its environment is encrypted by" "$data_key" "$(jq --raw-output .KMSKeyArn "$folder/function.json")"
    # SAM publishes a version only if it sees a change. DEFAULT_CURRENCY has the value of DefaultCurrency, and so on.
    for name in $(jq --raw-output '.Environment.Variables | keys[]' "$folder/function.json"); do
      expected=$(jq --raw-input --raw-output 'split("_") | map(.[:1] + (.[1:] | ascii_downcase)) | join("")' <<<"$name")
      jq --exit-status --arg key "$expected" 'any(.Parameters[]; .ParameterKey == $key)' "$folder/stack.json" >/dev/null || continue
      check "$function: $name" "$(parameter "$expected")" "$(jq --raw-output --arg name "$name" '.Environment.Variables[$name]' "$folder/function.json")"
    done
    check "$function: TABLE_NAME" "$table" "$(jq --raw-output .Environment.Variables.TABLE_NAME "$folder/function.json")"
    case $function in
      "$note_write" | "$history" | "$imports" | "$audit") check "$function has the identity key" no "$(jq --raw-output 'if .Environment.Variables | has("IDENTITY_KEY") then "yes" else "no" end' "$folder/function.json")" ;;
      "$ingest" | "$ingest_check" | "$profile_read" | "$profile_write")
        check "$function: the hash of the identity key" "$(cat "$folder/key")" \
          "$(jq --join-output '.Environment.Variables.IDENTITY_KEY // ""' "$folder/function.json" | short_hash)"
        ;;
    esac
  done
}

# may FUNCTION ACTION RESOURCE EXPECTED
may() {
  local role
  role=$(ask lambda get-function-configuration --function-name "$1" --query Role)
  check "$1: $2 on ${3##*:}" "$4" "$(ask iam simulate-principal-policy --policy-source-arn "$role" --action-names "$2" \
    --resource-arns "$3" --query 'EvaluationResults[0].EvalDecision')"
}

check_roles() {
  local function action s3=arn:$partition:s3:::$bucket
  for function in "${functions[@]}"; do
    for action in dynamodb:Scan dynamodb:DeleteTable dynamodb:ExportTableToPointInTime; do may "$function" "$action" "$table_arn" implicitDeny; done
    may "$function" secretsmanager:GetSecretValue "$(output IdentityKeyArn)" implicitDeny
    may "$function" logs:PutLogEvents "arn:$partition:logs:us-east-1:000000000000:log-group:another:*" implicitDeny
  done
  for function in "$profile_read" "$history" "$note_write" "$profile_write" "$ingest" "$ingest_check"; do may "$function" s3:PutObject "$s3/drop/x" implicitDeny; done
  for function in "$profile_read" "$history" "$ingest_check"; do
    for action in PutItem UpdateItem DeleteItem PartiQLInsert; do may "$function" "dynamodb:$action" "$table_arn" implicitDeny; done
  done
  for function in "$profile_read" "$history" "$note_write" "$profile_write" "$imports"; do
    for action in GetObject GetObjectVersion; do may "$function" "s3:$action" "$s3/drop/x" implicitDeny; done
  done
  for function in "$history" "$note_write" "$profile_write" "$imports" "$ingest" "$ingest_check"; do may "$function" dynamodb:Query "$table_arn/index/Find1" implicitDeny; done
  local log_arn
  log_arn=$(ask logs describe-log-groups --log-group-name-prefix "$audit_logs" --query 'logGroups[0].arn')
  may "$audit" logs:PutLogEvents "$log_arn" allowed
  for action in logs:DeleteLogGroup logs:DeleteLogStream logs:PutRetentionPolicy logs:GetLogEvents; do may "$audit" "$action" "$log_arn" implicitDeny; done
  for function in "$profile_read" "$history" "$note_write" "$profile_write" "$imports" "$ingest" "$ingest_check"; do
    may "$function" logs:PutLogEvents "$log_arn" implicitDeny
  done
  may "$audit" dynamodb:Query "$table_arn" implicitDeny
  may "$profile_read" dynamodb:Query "$table_arn" allowed
  may "$profile_read" dynamodb:Query "$table_arn/index/Find1" allowed
  may "$note_write" dynamodb:PutItem "$table_arn" allowed
  may "$profile_write" dynamodb:ConditionCheckItem "$table_arn" allowed
  may "$imports" s3:PutObject "$s3/drop/x" allowed
  may "$imports" s3:PutObject "$s3/reports/x" implicitDeny
  may "$imports" dynamodb:DeleteItem "$table_arn" implicitDeny
  may "$ingest" s3:GetObjectVersion "$s3/drop/x" allowed
  may "$ingest" s3:GetObjectVersion "$s3/reports/x" implicitDeny
  may "$ingest" s3:DeleteObject "$s3/drop/x" implicitDeny
  may "$ingest" s3:PutObject "$s3/mappings/x" implicitDeny
  may "$ingest" s3:PutObject "$s3/erasures/x" allowed
  may "$ingest" s3:GetObject "$s3/erasures/x" implicitDeny
  may "$ingest_check" s3:GetObject "$s3/mappings/x" allowed
  may "$ingest_check" s3:GetObjectVersion "$s3/drop/x" implicitDeny
  may "$ingest_check" s3:PutObject "$s3/reports/drop/x" implicitDeny
}

check_table() {
  check 'time to live' ENABLED "$(ask dynamodb describe-time-to-live --table-name "$table" --query TimeToLiveDescription.TimeToLiveStatus)"
  check 'indexes' 'Find1 ACTIVE Find2 ACTIVE Find3 ACTIVE Find4 ACTIVE' "$(ask dynamodb describe-table --table-name "$table" \
    --query 'sort_by(Table.GlobalSecondaryIndexes, &IndexName)[].[IndexName,IndexStatus]' | tr '\t\n' '  ' | sed 's/ $//')"
  check 'the bucket keeps versions' Enabled "$(ask s3api get-bucket-versioning --bucket "$bucket" --query Status)"
}

check_storage() {
  local key=drop/customer_record/smoke/smoke.ndjson signed
  check 'point-in-time recovery' ENABLED "$(ask dynamodb describe-continuous-backups --table-name "$table" \
    --query ContinuousBackupsDescription.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus)"
  check 'the table is protected from deletion' "$([ "$(parameter RemovalPolicy)" = Retain ] && echo True || echo False)" \
    "$(ask dynamodb describe-table --table-name "$table" --query Table.DeletionProtectionEnabled)"
  check 'the table is encrypted by' "$data_key" "$(ask dynamodb describe-table --table-name "$table" --query Table.SSEDescription.KMSMasterKeyArn)"
  check 'the bucket is encrypted by' "$data_key" "$(ask s3api get-bucket-encryption --bucket "$bucket" \
    --query 'ServerSideEncryptionConfiguration.Rules[0].ApplyServerSideEncryptionByDefault.KMSMasterKeyID')"
  check 'a dropped file is encrypted by' "$data_key" "$(ask s3api head-object --bucket "$bucket" --key "$key" --query SSEKMSKeyId)"
  check 'the secret is encrypted by' "$data_key" "$(ask secretsmanager describe-secret --secret-id "$(output IdentityKeyArn)" --query KmsKeyId)"
  # Through Lambda, everyone who can read the configuration of a function could read the identity key.
  check 'services through which the account can use the key' "dynamodb.$region s3.$region secretsmanager.$region" \
    "$(ask kms get-key-policy --key-id "$data_key" --policy-name default --query Policy | jq --raw-output '[.Statement[] |
      select((.Principal.AWS? // .Principal) == "*") | .Condition.StringEquals["kms:ViaService"] // "every service"] | flatten |
      map(split(".")[:2] | join(".")) | sort | join(" ")')"
  check 'the key is rotated' True "$(ask kms get-key-rotation-status --key-id "$data_key" --query KeyRotationEnabled)"
  check 'a file under a foreign key' AccessDenied "$(aws s3api put-object --bucket "$bucket" --key "${key%.ndjson}-foreign.ndjson" \
    --body "$folder/one.ndjson" --server-side-encryption AES256 2>&1 | grep -o AccessDenied | sed -n 1p || true)"
  check 'public access is blocked' 'True True True True' "$(ask s3api get-public-access-block --bucket "$bucket" --query \
    'PublicAccessBlockConfiguration.[BlockPublicAcls,IgnorePublicAcls,BlockPublicPolicy,RestrictPublicBuckets]' | tr '\t' ' ')"
  while read -r rule days; do
    check "days until $rule expire" "$days" "$(ask s3api get-bucket-lifecycle-configuration --bucket "$bucket" \
      --query "Rules[?ID=='$rule' && Status=='Enabled'].Expiration.Days")"
  done <<END
raw-files $(parameter RawFileDays)
forget-files $(parameter ForgetFileDays)
rejects $(parameter RejectDays)
reports $(parameter ReportDays)
erasure-journal $(parameter ErasureJournalDays)
tries 1
reports-of-tries 1
END
  check 'prefixes that invoke functions' 'drop/ mappings/ try/ work/' "$(ask s3api get-bucket-notification-configuration --bucket "$bucket" \
    --query 'LambdaFunctionConfigurations[].Filter.Key.FilterRules[0].Value' | tr '\t' '\n' | sort | tr '\n' ' ' | sed 's/ $//')"
  # The same signed address with TLS and without: the signature does not cover the scheme.
  signed=$(aws s3 presign "s3://$bucket/$key" --expires-in 300)
  check 'S3 with TLS' 200 "$(status "$signed")"
  check 'S3 without TLS' 403 "$(status "${signed/#https:/http:}")"
}

check_logs() {
  local group turn sum topic
  while read -r group; do
    check "retention of $group" "$(parameter "$([ "$group" = "$audit_logs" ] && echo AuditRetentionDays || echo LogRetentionDays)")" \
      "$(ask logs describe-log-groups --log-group-name-prefix "$group" --query 'logGroups[0].retentionInDays')"
  done < <(resources AWS::Logs::LogGroup)
  # Only ingest has certainly run since the deployment. Lines and metrics arrive within minutes.
  for group in "$(resource ApiLogs)" "$(resource IngestLogs)"; do
    for ((turn = 0; turn < 20; turn++)); do
      sum=$(positive "$(ask logs filter-log-events --log-group-name "$group" --start-time "$((began * 1000))" --query 'length(events)' --max-items 1)")
      [ "$sum" != 'a number above 0' ] || break
      sleep 10
    done
    check "lines of this test in $group" 'a number above 0' "$sum"
  done
  for ((turn = 0; turn < 30; turn++)); do
    sum=$(positive "$(ask cloudwatch get-metric-statistics --namespace CustomerProfiles --metric-name RowsRead --dimensions "Name=FunctionName,Value=$ingest" \
      --statistics Sum --period 86400 --start-time "$((began - 60))" --end-time "$(($(date +%s) + 60))" --query 'Datapoints[0].Sum')")
    [ "$sum" != 'a number above 0' ] || break
    sleep 10
  done
  check 'the metric RowsRead of this test' 'a number above 0' "$sum"
  topic=$(resource Alarms)
  if [ -n "$(parameter AlarmEmail)" ]; then
    check 'the alarm subscription is confirmed' 1 "$(ask sns list-subscriptions-by-topic --topic-arn "$topic" \
      --query "length(Subscriptions[?Endpoint=='$(parameter AlarmEmail)' && starts_with(SubscriptionArn, 'arn:')])")"
  else
    warn 'the alarm subscription' 'AlarmEmail is empty, so alarms send no email'
  fi
}

check_audit_log() {
  local group turn found request_id
  for group in ProfileReadLogs HistoryLogs NoteWriteLogs ProfileWriteLogs ImportsLogs IngestLogs; do
    check "subscription filter of $group" '{ $.audit = "*" }' "$(ask logs describe-subscription-filters --log-group-name "$(resource "$group")" \
      --query 'subscriptionFilters[0].filterPattern')"
  done
  # The import of this test, and its look-up if there was one.
  request_id=
  ! $reads || request_id=$(grep -i '^apigw-requestid:' "$folder/lookup" | cut -d ' ' -f 2 | tr -d '\r')
  for ((turn = 0; turn < 20; turn++)); do
    aws logs filter-log-events --log-group-name "$audit_logs" --start-time "$((began * 1000))" --output json |
      jq --compact-output '.events[].message | fromjson' >"$folder/audited"
    found=$(jq --raw-output --arg id "$request_id" 'select(.request_id == $id) | "\(.audit) \(.outcome)"' "$folder/audited" | sed -n 1p)
    ! grep -q '"audit":"import"' "$folder/audited" || { $reads && [ -z "$found" ]; } || break
    sleep 10
  done
  check 'audit lines of the imports of this test' 'a number above 0' "$(positive "$(grep -c '"audit":"import"' "$folder/audited" || true)")"
  if $reads; then
    check 'the audit line of the look-up of this test' 'profile.lookup ok' "$found"
  else
    skip 'the audit line of a look-up' 'no TOKEN'
  fi
}

check_deployments() {
  local application group last
  application=$(resources AWS::CodeDeploy::Application)
  for group in $(resources AWS::CodeDeploy::DeploymentGroup); do
    last=$(ask deploy list-deployments --application-name "$application" --deployment-group-name "$group" --query 'deployments[0]')
    # The first deployment of a stack needs none.
    [ "$last" = None ] || check "$group" Succeeded "$(ask deploy get-deployment --deployment-id "$last" --query deploymentInfo.status)"
  done
}

began=$(date +%s)
check_address
[ -z "$stack" ] || check_routes
check_browser_access
check_responses
check_imports
check_deleted_version
check_throttling
check_table
if [ -n "$stack" ]; then
  check_failure_path
  check_functions
  check_roles
  check_storage
  check_logs
  check_audit_log
  check_deployments
else
  skip 'functions, roles, keys, logs and deployments' 'no stack'
fi
echo 'All checks passed.'
