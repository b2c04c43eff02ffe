# shellcheck shell=bash
# Functions that the scripts in this folder share. Source this file; it does nothing by itself.

# Set by `--dry-run`: commands that change something are printed instead of run.
dry_run=false

# Prints an error and ends the script.
fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# Prints an error about the arguments and ends the script.
usage_error() {
  printf '%s: %s\nRun %s --help for the options.\n' "${0##*/}" "$*" "${0##*/}" >&2
  exit 2
}

# Checks that an option has a value: `value OPTION "$@"`.
value() {
  [ "$#" -ge 3 ] && [ -n "$3" ] || usage_error "$1 needs a value."
}

# Checks that the given tools are installed, and that the AWS CLI is version 2: version 1 reads binary values differently.
require_tools() {
  local tool
  for tool in "$@"; do
    command -v "$tool" >/dev/null || fail "$tool is not installed."
    if [ "$tool" = aws ] && [[ $(aws --version 2>&1) == aws-cli/1.* ]]; then
      fail 'AWS CLI version 1 is installed. Install version 2.'
    fi
  done
}

# Runs a command that changes something. In a dry run it prints the command instead.
change() {
  if $dry_run; then
    printf 'would run:'
    printf ' %q' "$@"
    printf '\n'
  else
    "$@"
  fi
}

# Prints an output of a stack: `stack_output STACK KEY`.
stack_output() { stack_value "$1" Output "$2"; }

# Prints a parameter of a stack: `stack_parameter STACK KEY`.
stack_parameter() { stack_value "$1" Parameter "$2"; }

stack_value() {
  local found
  found=$(aws cloudformation describe-stacks --stack-name "$1" --output text --query "Stacks[0].${2}s[?${2}Key=='$3'].${2}Value")
  [ -n "$found" ] && [ "$found" != None ] || fail "Stack $1 has no $3 in its ${2}s."
  printf '%s\n' "$found"
}

# Prepares requests to the API with the token in TOKEN: `prepare_api [STACK]`. Sets `api`, unless it is set, and the temporary folder
# `folder`. Its file `curl` contains the token, so that it appears in no command line.
prepare_api() {
  [ -n "${TOKEN:-}" ] || usage_error 'Set TOKEN to an access token.'
  require_tools jq curl
  if [ -z "$api" ]; then
    require_tools aws
    api=$(stack_output "$1" ApiUrl)
  fi
  umask 077
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  printf 'header = "authorization: Bearer %s"\n' "$TOKEN" >"$folder/curl"
}

# Prints the status of a table, or nothing if it does not exist: `table_status TABLE`.
table_status() {
  local response
  if response=$(aws dynamodb describe-table --table-name "$1" --query Table.TableStatus --output text 2>&1); then
    printf '%s\n' "$response"
  else
    case $response in
      *ResourceNotFoundException*) ;;
      *) fail "$response" ;;
    esac
  fi
}

# Waits until a table is active: `wait_for_table TABLE STATUS`. A restore may take hours. The bound is 12 hours.
wait_for_table() {
  local status=$2 turn
  for ((turn = 0; turn < 1440; turn++)); do
    [ "$status" != ACTIVE ] || break
    [ $((turn % 10)) -ne 0 ] || printf '%s %s is %s\n' "$(date +%H:%M:%S)" "$1" "${status:-not there yet}"
    sleep 30
    status=$(table_status "$1")
  done
  [ "$status" = ACTIVE ] || fail "$1 is not active. Run the script again to continue waiting."
}

# Stops ingest: `stop_ingest FUNCTION`.
stop_ingest() {
  change aws lambda put-function-concurrency --function-name "$1" --reserved-concurrent-executions 0 --output text --query '[]'
}

# Starts ingest again, with the stack's IngestConcurrency: `start_ingest FUNCTION NUMBER`. With 0, nothing is reserved.
start_ingest() {
  if [ "$2" = 0 ]; then
    change aws lambda delete-function-concurrency --function-name "$1"
  else
    change aws lambda put-function-concurrency --function-name "$1" --reserved-concurrent-executions "$2" --output text --query '[]'
  fi
}

# Prints the first 16 bytes of HMAC-SHA256 as 26 digits of lowercase base32: `keyed_hash KEY MESSAGE`. Identity IDs and the check
# value of the identity key are such hashes. HMAC is computed here because `openssl` would take the key as an argument, where
# other users of the machine could read it.
keyed_hash() {
  local LC_ALL=C key inner='' outer='' hash text='' byte place bits=0 held=0
  local digits=abcdefghijklmnopqrstuvwxyz234567
  key=$(printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n')
  if [ "${#key}" -gt 128 ]; then
    key=$(printf '%s' "$1" | openssl dgst -sha256 -r | cut -d ' ' -f 1)
  fi
  for ((place = 0; place < 128; place += 2)); do
    byte=${key:place:2}
    byte=$((16#${byte:-0}))
    inner+=$(printf '\\x%02x' $((byte ^ 0x36)))
    outer+=$(printf '\\x%02x' $((byte ^ 0x5c)))
  done
  hash=$({ printf '%b' "$inner" && printf '%s' "$2"; } | openssl dgst -sha256 -binary |
    { printf '%b' "$outer" && cat; } | openssl dgst -sha256 -r | cut -d ' ' -f 1)
  for ((place = 0; place < 32; place += 2)); do
    held=$(((held << 8) | 16#${hash:place:2}))
    bits=$((bits + 8))
    while ((bits >= 5)); do
      bits=$((bits - 5))
      text+=${digits:$(((held >> bits) & 31)):1}
    done
    held=$((held & ((1 << bits) - 1)))
  done
  text+=${digits:$(((held << (5 - bits)) & 31)):1}
  printf '%s\n' "$text"
}
