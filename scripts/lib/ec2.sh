# The public EC2 API from a shell: curl signs the requests. Sourced after common.sh.
# shellcheck shell=bash

# Takes endpoint and keys from `virga env`.
use_account() {
  local settings
  settings=$("$virga" env) || die "no access key of the account 'default' is saved" \
    "make another one: $virga key create admin --account default"
  eval "$settings"
}

ec2() { # ACTION [NAME=VALUE...]: the XML of the answer; on an error EC2's message, and failure
  local action=$1 answer parameter arguments=()
  shift
  for parameter in "$@"; do arguments+=(--data-urlencode "$parameter"); done
  # The secret travels through a descriptor: arguments are seen by everybody on the machine.
  answer=$(curl --silent --show-error --max-time 30 --config - --aws-sigv4 "aws:amz:$AWS_REGION:ec2" \
    --data-urlencode "Action=$action" --data-urlencode "Version=2016-11-15" "${arguments[@]}" "$AWS_ENDPOINT_URL/" \
    <<<"user = \"$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY\"") || return 1
  if [[ $answer == *"<Errors>"* ]]; then
    echo "$action: $(element Code <<<"$answer"): $(element Message <<<"$answer")" >&2
    return 1
  fi
  printf '%s\n' "$answer"
}

element() { # NAME: the text of the first such element on standard input
  tr '\n' ' ' | grep -o "<$1>[^<]*</$1>" | head -n 1 | sed "s/^<$1>//; s/<\/$1>\$//" || true
}
