#!/usr/bin/env bash
# Moves the alias `live` of one function to another published version.
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat <<'END'
Usage: move-alias.sh --stack STACK --function NAME [--to VERSION] [--dry-run]

Moves the alias `live` of one function to another published version, immediately and for all requests. Before the next
deployment, move it back to the newest version: otherwise, CodeDeploy may reject the deployment. Without --to, the
script lists the ten newest versions and changes nothing.

  --stack STACK      The stack.
  --function NAME    profile-read, note-write, profile-write, history, imports, ingest, ingest-check or audit.
  --to VERSION       The number of the version that takes over.
  --dry-run          Print the command instead of running it.
  --help             Print this text.

A version keeps the environment that it was published with. Do not move profile-read, profile-write, ingest or ingest-check to a
version from before the identity key was restored.

Permissions: cloudformation:DescribeStacks, lambda:GetAlias, lambda:ListVersionsByFunction,
lambda:GetFunctionConfiguration, lambda:UpdateAlias.
END
}

stack='' name='' version=''
while [ "$#" -gt 0 ]; do
  case $1 in
    --stack) value "$1" "$@" && stack=$2 && shift 2 ;;
    --function) value "$1" "$@" && name=$2 && shift 2 ;;
    --to) value "$1" "$@" && version=$2 && shift 2 ;;
    --dry-run) dry_run=true && shift ;;
    --help) usage && exit ;;
    *) usage_error "Unknown argument: $1" ;;
  esac
done
[ -n "$stack" ] || usage_error 'Specify --stack.'
case $name in
  profile-read) key=ProfileReadFunctionName ;;
  note-write) key=NoteWriteFunctionName ;;
  profile-write) key=ProfileWriteFunctionName ;;
  imports) key=ImportsFunctionName ;;
  history) key=HistoryFunctionName ;;
  ingest) key=IngestFunctionName ;;
  ingest-check) key=IngestCheckFunctionName ;;
  audit) key=AuditFunctionName ;;
  '') usage_error 'Specify --function.' ;;
  *) usage_error "Unknown function: $name" ;;
esac
[[ $version =~ ^[0-9]*$ ]] || usage_error '--to needs the number of a version.'
require_tools aws jq
function=$(stack_output "$stack" "$key")

current=$(aws lambda get-alias --function-name "$function" --name live --output json |
  jq --raw-output '.FunctionVersion + ((.RoutingConfig.AdditionalVersionWeights // {}) | to_entries | map("; \(.value * 100) % of the requests go to version \(.key)") | join(""))')
printf 'The alias live of %s points to version %s.\n' "$function" "$current"
if [ -z "$version" ]; then
  aws lambda list-versions-by-function --function-name "$function" --output json |
    jq --raw-output '[.Versions[] | select(.Version != "$LATEST")] | sort_by(.Version | tonumber) | .[-10:][] | "version \(.Version), published \(.LastModified)"'
  exit
fi
aws lambda get-function-configuration --function-name "$function" --qualifier "$version" --query Version --output text >/dev/null ||
  fail "There is no version $version."
change aws lambda update-alias --function-name "$function" --name live --function-version "$version" \
  --routing-config AdditionalVersionWeights={} --output text --query FunctionVersion
