#!/usr/bin/env bash
# Computes the ID of an identity from an identifier, with the stack's identity key.
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat <<'END'
Usage: identity-id.sh (--stack STACK | --key-file FILE) IDENTIFIER [--dry-run]

Prints the ID of the identity that an identifier names. It also works for customers whose data was deleted, which
`POST /profiles/lookup` does not find. IDs appear in the audit log and are partition keys of the table.

  --stack STACK          Read the identity key from the secret of this stack.
  --key-file FILE        Read the identity key from a file.
  --dry-run              Check the arguments. Do not read the key.
  --help                 Print this text.

The identifier is one of:
  --email ADDRESS        An ASCII email address.
  --mobile NUMBER        Country code and number, digits only: 61491570006.
  --customer-id ID       With --system-name if the files specify one.
  --external-id ID       With --system-name.
  --system-name NAME

Give it in the normal form that reference/records.md describes.

Permissions with --stack: cloudformation:DescribeStacks, secretsmanager:GetSecretValue, kms:Decrypt.
END
}

stack='' file='' kind='' identifier='' system=''
while [ "$#" -gt 0 ]; do
  case $1 in
    --stack) value "$1" "$@" && stack=$2 && shift 2 ;;
    --key-file) value "$1" "$@" && file=$2 && shift 2 ;;
    --email | --mobile | --customer-id | --external-id)
      [ -z "$kind" ] || usage_error 'Specify one identifier.'
      value "$1" "$@" && kind=${1#--} && identifier=$2 && shift 2
      ;;
    --system-name) value "$1" "$@" && system=$2 && shift 2 ;;
    --dry-run) dry_run=true && shift ;;
    --help) usage && exit ;;
    *) usage_error "Unknown argument: $1" ;;
  esac
done
[ -n "$stack" ] || [ -n "$file" ] || usage_error 'Specify --stack or --key-file.'
case $kind in
  '') usage_error 'Specify an identifier.' ;;
  email)
    [[ $identifier =~ ^[[:graph:]]+@[[:graph:]]+$ ]] && [ -z "$(LC_ALL=C tr -d '\41-\176' <<<"$identifier")" ] ||
      usage_error '--email needs an ASCII email address.'
    identifier=$(LC_ALL=C tr '[:upper:]' '[:lower:]' <<<"$identifier")
    ;;
  mobile) [[ $identifier =~ ^[1-9][0-9]{6,14}$ ]] || usage_error '--mobile needs 7 to 15 digits, with the country code.' ;;
  external-id) [ -n "$system" ] || usage_error '--external-id needs --system-name.' ;;
esac
case $kind in
  email | mobile) [ -z "$system" ] || usage_error "--$kind has no --system-name." ;;
esac
require_tools aws jq openssl od
# The hash of an email address, so that files may contain either.
[ "$kind" != email ] || identifier=$(printf '%s' "$identifier" | openssl dgst -sha256 -r | cut -d ' ' -f 1)
if $dry_run; then
  printf 'The arguments are valid.\n'
  exit
fi
if [ -n "$file" ]; then
  key=$(cat "$file")
else
  key=$(aws secretsmanager get-secret-value --secret-id "$(stack_output "$stack" IdentityKeyArn)" --query SecretString --output text)
fi
[ -n "$key" ] || fail 'The identity key is empty.'
keyed_hash "$key" "${kind//-/_}"$'\x1f'"$system"$'\x1f'"$identifier"
