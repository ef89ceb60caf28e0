# Sourced by deploy.sh, rollback.sh, logs.sh and destroy.sh: which stage, with
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

    if [ -f "infra/stages/$STAGE.env" ]; then
        set -a
        # shellcheck source=/dev/null
        . "infra/stages/$STAGE.env"
        set +a
    fi

    lacking=
    need aws "https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html"
    while [ $# -gt 0 ]; do
        need "$1" "$2"
        shift 2
    done
    [ -z "$lacking" ] || exit 1

    # Version 1 of the AWS CLI and SAM know only the second variable.
    region=${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region || :)}}
    [ -n "$region" ] || fail "AWS_REGION is not set; it should be a region such as eu-central-1"
    export AWS_REGION="$region" AWS_DEFAULT_REGION="$region" AWS_PAGER='' SAM_CLI_TELEMETRY=0

    account=$(aws sts get-caller-identity --query Account --output text 2>/dev/null) ||
        fail "AWS does not accept the credentials; set AWS_PROFILE, or run aws sso login"
    echo "$command: $stack in $region, account $account"
}

# The stack's state, or nothing if there is no such stack.
state() {
    aws cloudformation describe-stacks --stack-name "$stack" \
        --query 'Stacks[0].StackStatus' --output text 2>/dev/null || :
}

# output NAME: an output of the stack.
output() {
    aws cloudformation describe-stacks --stack-name "$stack" \
        --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue" --output text
}

# A stack that something was deployed to.
need_stack() {
    case $(state) in
    '' | REVIEW_IN_PROGRESS) fail "there is no stack $stack in $region" ;;
    esac
}

# call_once: whether the application answers, also the functions that have settings
# of their own. The functions send these answers, not the gateway.
call_once() {
    url=$(output Url)
    call /api/quote 401
    call /nowhere 404
    case $(output FunctionNames) in
    *-clerk-webhook*) call /api/webhooks/clerk 400 --request POST ;;
    esac
    echo "$url answers"
}

# call PATH STATUS [OPTION]...: a request without a session to `url`, made by curl with
# these options, and what should answer it.
call() {
    path=$1
    wanted=$2
    shift 2
    code=0
    status=$(curl --silent --output /dev/null --write-out '%{http_code}' --max-time 20 "$@" "$url$path") || code=$?
    # 6: curl could not find the host.
    [ "$code" != 6 ] || fail "$url has no DNS record yet: make a CNAME record that points to $(output DomainTarget)"
    [ "$status" = "$wanted" ] || fail "$url$path should answer $wanted, not $status: run make logs STAGE=$STAGE"
}
