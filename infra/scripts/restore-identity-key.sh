#!/usr/bin/env bash
# Restores the identity key from a backup: into the secret, and into the functions that use it.
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat <<'END'
Usage: restore-identity-key.sh --stack STACK --key-file FILE [--check] [--dry-run]

Writes the identity key from a backup into the stack's secret, and gives it to the four functions that use it.
Before that, it compares the key with the check value in the table. It refuses a key with which the table was not
written.

  --stack STACK    The stack.
  --key-file FILE  The backup of the key. A newline at its end is not part of the key.
  --check          Only compare the key with the table, the secret and the functions.
  --dry-run        Print the commands instead of running them.
  --help           Print this text.

The script stops ingest while it updates the stack twice: with the other value of Tracing, and back. CloudFormation
reads the secret again only for a function that it updates. It takes some minutes, plus twice the time of a canary
deployment. If a function still has another key afterwards, the script publishes a version with the key and moves the
alias to it. After the script, run redrive-failures.sh.

Permissions: those of a deployment of the stack, with kms:Decrypt on the encryption key, and
secretsmanager:DescribeSecret, secretsmanager:GetSecretValue, secretsmanager:PutSecretValue,
secretsmanager:RestoreSecret, dynamodb:GetItem, cloudwatch:DescribeAlarms.
END
}

stack='' file='' check=false
while [ "$#" -gt 0 ]; do
  case $1 in
    --stack) value "$1" "$@" && stack=$2 && shift 2 ;;
    --key-file) value "$1" "$@" && file=$2 && shift 2 ;;
    --check) check=true && shift ;;
    --dry-run) dry_run=true && shift ;;
    --help) usage && exit ;;
    *) usage_error "Unknown argument: $1" ;;
  esac
done
[ -n "$stack" ] || usage_error 'Specify --stack.'
[ -n "$file" ] || usage_error 'Specify --key-file.'
require_tools aws jq openssl od
# $(…) drops the newline at the end of the file.
key=$(cat "$file")
[ -n "$key" ] || fail "$file is empty."

table=$(stack_output "$stack" TableName)
secret=$(stack_output "$stack" IdentityKeyArn)
ingest=$(stack_output "$stack" IngestFunctionName)
ingest_check=$(stack_output "$stack" IngestCheckFunctionName)
profile_read=$(stack_output "$stack" ProfileReadFunctionName)
profile_write=$(stack_output "$stack" ProfileWriteFunctionName)

umask 077
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# Commands read the key from this file, so that it appears in no command line.
printf '%s' "$key" >"$folder/key"

held=$(aws dynamodb get-item --table-name "$table" --consistent-read --key '{"PK": {"S": "config"}, "SK": {"S": "config"}}' \
  --output json | jq --raw-output '.Item.data.M.key_check.S // empty')
if [ -z "$held" ]; then
  printf 'The table has no check value: nothing was imported yet. Any key is valid.\n'
elif [ "$held" = "$(keyed_hash "$key" check)" ]; then
  printf 'The key in %s is the key of the table.\n' "$file"
else
  fail "The key in $file is not the key that the table was written with. Nothing was changed."
fi

deleted=$(aws secretsmanager describe-secret --secret-id "$secret" --query DeletedDate --output text)
if [ "$deleted" != None ]; then
  printf 'The secret is scheduled for deletion.\n'
  $check || change aws secretsmanager restore-secret --secret-id "$secret" --output text --query ARN
fi
in_secret=''
if [ "$deleted" = None ] || ! { $check || $dry_run; }; then
  in_secret=$(aws secretsmanager get-secret-value --secret-id "$secret" --query SecretString --output text) || in_secret=''
fi
if [ "$in_secret" = "$key" ]; then
  printf 'The secret has the key.\n'
else
  printf 'The secret has another value.\n'
  $check || change aws secretsmanager put-secret-value --secret-id "$secret" --secret-string "file://$folder/key" --output text --query VersionId
fi

# Prints whether the alias `live` of a function has the key, and returns 1 if it has not: `has_key FUNCTION`.
has_key() {
  local found
  found=$(aws lambda get-function-configuration --function-name "$1" --qualifier live --output json |
    jq --raw-output '.Environment.Variables | (.IDENTITY_KEY // ""), (length > 0)') || fail "The configuration of $1 cannot be read."
  # Without kms:Decrypt, Lambda returns the configuration without variables.
  [ "${found##*$'\n'}" = true ] || fail "The environment of $1 cannot be read. You need kms:Decrypt on the encryption key."
  found=${found%$'\n'*}
  if [ "$found" = "$key" ]; then
    printf '%s has the key.\n' "$1"
  else
    printf '%s has another key.\n' "$1"
    return 1
  fi
}
complete=true
for function in "$ingest" "$ingest_check" "$profile_read" "$profile_write"; do has_key "$function" || complete=false; done
if $check || $complete; then
  exit
fi

concurrency=$(stack_parameter "$stack" IngestConcurrency)
tracing=$(stack_parameter "$stack" Tracing)
deployment=$(stack_parameter "$stack" Deployment)
stop_ingest "$ingest"
# An alarm of ingest or ingest-check would stop the deployment.
alarms=()
for id in IngestErrors IngestCheckErrors; do
  alarms+=("$(aws cloudformation describe-stack-resource --stack-name "$stack" --logical-resource-id "$id" \
    --query StackResourceDetail.PhysicalResourceId --output text)")
done
for ((turn = 0; turn < 80; turn++)); do
  states=$(aws cloudwatch describe-alarms --alarm-names "${alarms[@]}" --query 'MetricAlarms[].StateValue' --output text)
  if [[ $states != *ALARM* ]] || $dry_run; then break; fi
  [ "$turn" -gt 0 ] || printf 'Waiting until the alarms ingest-errors and ingest-check-errors end\n'
  sleep 15
done
[[ $states != *ALARM* ]] || $dry_run ||
  fail 'The alarm ingest-errors or ingest-check-errors does not end. Ingest is stopped. Look at the log, then run the script again.'

# Updates the stack with the template that is deployed, and these parameters.
update() {
  change aws cloudformation deploy --stack-name "$stack" --template-file "$folder/deployed.yaml" --no-fail-on-empty-changeset \
    --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND --parameter-overrides "$@"
}
aws cloudformation get-template --stack-name "$stack" --template-stage Original --query TemplateBody --output text >"$folder/deployed.yaml"
other=on
[ "$tracing" = off ] || other=off
if ! { update "Tracing=$other" Deployment=AllAtOnce && update "Tracing=$tracing" "Deployment=$deployment"; }; then
  printf 'The stack was not updated. The functions get the key directly.\n'
fi

for function in "$ingest" "$ingest_check" "$profile_read" "$profile_write"; do
  if has_key "$function"; then continue; fi
  aws lambda get-function-configuration --function-name "$function" --output json |
    jq --rawfile key "$folder/key" '{Variables: (.Environment.Variables + {IDENTITY_KEY: $key})}' >"$folder/environment.json"
  change aws lambda update-function-configuration --function-name "$function" --environment "file://$folder/environment.json" \
    --output text --query LastUpdateStatus
  change aws lambda wait function-updated-v2 --function-name "$function"
  if $dry_run; then
    printf 'would publish a version of %s and move the alias live to it\n' "$function"
    continue
  fi
  version=$(aws lambda publish-version --function-name "$function" --query Version --output text)
  aws lambda update-alias --function-name "$function" --name live --function-version "$version" \
    --routing-config AdditionalVersionWeights={} --output text --query FunctionVersion
  has_key "$function" || fail "$function does not have the key. Ingest is stopped."
done
start_ingest "$ingest" "$concurrency"
$dry_run || printf 'The key is restored, and ingest runs. Run redrive-failures.sh now.\n'
