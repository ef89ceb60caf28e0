# Sourced by deploy.sh, rollback.sh, logs.sh, destroy.sh and account.sh: which stage, with
# which tools, in whose account.
#
#   STAGE  a stack of its own, quotes-<stage>. What infra/stages/<stage>.env
#          sets is added to the environment, AWS_PROFILE and AWS_REGION too.
# shellcheck shell=sh

# Every message begins with the caller's name.
command=$(basename "$0" .sh)
cd "$(dirname "$0")/.." || exit 1

fail() {
    echo "$command: $*" >&2
    exit 1
}

# need NAME HOW: records that a tool is missing, so that the messages name all of them.
need() {
    command -v "$1" >/dev/null && return
    echo "$command: $1 is missing: $2" >&2
    lacking=1
}

# said: what AWS answered to the last command that keeps it, in one line.
said() {
    tr -s '\n' ' ' <"$work/said" | sed 's/^ *//; s/ *$//'
}

# begin [TOOL HOW]...: checks everything that can be checked before anything is changed.
begin() {
    [ -n "${STAGE:-}" ] || fail "STAGE is not set; it should be a name such as staging: make $command STAGE=staging"
    case $STAGE in
    [!a-z]* | *[!a-z0-9-]* | *-) malformed=1 ;;
    *) malformed=$((${#STAGE} > 20)) ;;
    esac
    [ "$malformed" = 0 ] ||
        fail "STAGE is malformed; it should be a name of up to 20 lower-case letters, digits and hyphens"
    stack=quotes-$STAGE
    enter "$@"
}

# enter [TOOL HOW]...: with these tools, into the account and the region.
enter() {
    lacking=
    need aws "https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html"
    while [ $# -gt 0 ]; do
        need "$1" "$2"
        shift 2
    done
    [ -z "$lacking" ] || exit 1

    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    if [ -f "infra/stages/${STAGE:-}.env" ]; then
        # Windows ends a line with CR LF.
        tr -d '\r' <"infra/stages/$STAGE.env" >"$work/stage.env"
        set -a
        # shellcheck source=/dev/null
        . "$work/stage.env"
        set +a
    fi

    # Version 1 of the AWS CLI and SAM know only the second variable.
    region=${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region || :)}}
    [ -n "$region" ] || fail "AWS_REGION is not set; it should be a region such as eu-central-1"
    export AWS_REGION="$region" AWS_DEFAULT_REGION="$region" AWS_PAGER='' SAM_CLI_TELEMETRY=0

    account=$(aws sts get-caller-identity --query Account --output text 2>"$work/said") ||
        fail "AWS does not accept the credentials ($(said)); set AWS_PROFILE, or run aws sso login"
    echo "$command: $stack in $region, account $account"
}

# The stack's state, or nothing if there is no such stack.
state() {
    aws cloudformation describe-stacks --stack-name "$stack" \
        --query 'Stacks[0].StackStatus' --output text 2>"$work/said" && return
    # Not allowed to look is not the same: a stack that is there would be taken for a new one.
    grep -q 'does not exist' "$work/said" || fail "$stack cannot be looked at: $(said)"
}

# output NAME: an output of the stack.
output() {
    aws cloudformation describe-stacks --stack-name "$stack" \
        --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue" --output text
}

# A stack that something was deployed to.
need_stack() {
    state=$(state)
    case $state in
    '' | REVIEW_IN_PROGRESS) fail "there is no stack $stack in $region" ;;
    CREATE_FAILED | ROLLBACK_COMPLETE | ROLLBACK_FAILED) fail "nothing was ever deployed to $stack in $region ($state)" ;;
    esac
}

# functions: the functions of the stack.
functions() {
    output FunctionNames | tr ',' ' '
}

# check [FUNCTION]...: whether what is live works, all of it or these functions, as
# check.py says it.
check() {
    # A caller that asks for the result takes `set -e` away.
    url=$(output Url) && target=$(output DomainTarget) || return 1
    python3 infra/check.py "$command" "$stack" "$url" "$target" "$@" || return 1
    host=${url#https://}
    [ -z "$target" ] || python3 -c 'import socket, sys; socket.getaddrinfo(sys.argv[1], 443)' "$host" 2>/dev/null ||
        echo "$command: $host has no DNS record yet: make a CNAME record that points to $target"
    echo "$url answers"
}

# remove: deletes the stack and its artefacts.
remove() {
    aws cloudformation delete-stack --stack-name "$stack"
    aws cloudformation wait stack-delete-complete --stack-name "$stack" ||
        fail "$stack could not be deleted ($(state)): run aws cloudformation describe-stack-events --stack-name $stack to see why"
    # The bucket that SAM makes, unless another was named.
    bucket=${ARTIFACT_BUCKET:-$(aws cloudformation describe-stacks --stack-name aws-sam-cli-managed-default \
        --query "Stacks[0].Outputs[?OutputKey=='SourceBucket'].OutputValue" --output text 2>/dev/null || :)}
    [ -z "$bucket" ] || aws s3 rm --recursive --only-show-errors "s3://$bucket/$stack/"
}
