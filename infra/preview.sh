#!/bin/sh
# The preview of a pull request: a stage pr-N with a database of its own, a branch
# preview/pr-N of a Neon project. infra/README.md ("Previews") has the settings.
#
#   preview.sh up N         makes it, or brings it up to date; the last line is its URL
#   preview.sh down N       deletes the stack, the secret and the branch
#   preview.sh sweep [N]... deletes all previews but these, and those whose branch is gone
#
# Each can be cut off anywhere and repeated.
set -eu
umask 077
# So that the trap of stage.sh deletes its files.
trap 'exit 130' HUP INT TERM
# shellcheck source=infra/stage.sh
. "$(dirname "$0")/stage.sh"

# migrations [COMMAND]: the program that changes the database, as for deploy.sh.
migrations() {
    if [ -n "${MIGRATIONS:-}" ]; then
        "$MIGRATIONS" "$@"
    else
        python3 dev/tools.py
        cargo run --quiet --locked --bin migrations -- "$@"
    fi
}

# settled: the stack's state once nothing changes it, for what was cut off goes on at AWS.
settled() {
    for _ in $(seq 120); do
        state=$(state) || exit 1
        case $state in
        REVIEW_IN_PROGRESS) break ;;
        *_IN_PROGRESS) sleep 5 ;;
        *) break ;;
        esac
    done
    echo "$state"
}

# put_secret FILE: makes the secret, or gives it another version.
put_secret() {
    set -- --secret-string "file://$1"
    aws secretsmanager put-secret-value --secret-id "$DATABASE_SECRET" "$@" >/dev/null 2>"$work/said" && return
    case $(said) in
    *ResourceNotFoundException*) aws secretsmanager create-secret --name "$DATABASE_SECRET" "$@" >/dev/null ;;
    # Somebody has deleted it by hand.
    *deletion*)
        aws secretsmanager restore-secret --secret-id "$DATABASE_SECRET" >/dev/null
        aws secretsmanager put-secret-value --secret-id "$DATABASE_SECRET" "$@" >/dev/null
        ;;
    *) fail "$DATABASE_SECRET cannot be written: $(said)" ;;
    esac
}

up() {
    case ${CLERK_PUBLISHABLE_KEY:-} in
    pk_live_*) fail "CLERK_PUBLISHABLE_KEY is of a production instance; it should be pk_test_…" ;;
    esac
    [ -z "${DOMAIN_NAME:-}" ] || fail "DOMAIN_NAME must not be set: a preview is reached at the API's own domain"

    echo "preview: looking at the branch that previews are made from"
    parent=$(python3 infra/neon.py parent)
    MIGRATION_DATABASE_URL=$parent migrations empty
    echo "preview: the branch preview/$STAGE is made or extended"
    MIGRATION_DATABASE_URL=$(python3 infra/neon.py branch "$number")
    export MIGRATION_DATABASE_URL
    echo "preview: migrations and roles"
    migrations
    migrations roles --replace >"$work/secret.json"
    echo "preview: the secret $DATABASE_SECRET"
    put_secret "$work/secret.json"
    unset MIGRATION_DATABASE_URL

    state=$(settled)
    case $state in
    CREATE_FAILED | ROLLBACK_COMPLETE | ROLLBACK_FAILED | DELETE_FAILED)
        echo "preview: $stack was never complete ($state) and is deleted"
        remove
        ;;
    esac
    sh infra/deploy.sh
    output Url
}

down() {
    state=$(settled)
    if [ -n "$state" ]; then
        echo "preview: $stack is deleted"
        remove
    fi
    echo "preview: the secret $DATABASE_SECRET and the branch preview/$STAGE are deleted"
    aws secretsmanager delete-secret --force-delete-without-recovery --secret-id "$DATABASE_SECRET" \
        >/dev/null 2>"$work/said" ||
        case $(said) in
        *ResourceNotFoundException*) ;;
        *) fail "$DATABASE_SECRET cannot be deleted: $(said)" ;;
        esac
    python3 infra/neon.py delete "$number"
    echo "preview: nothing is left of $STAGE"
}

# sweep [N]...: down for all but these. An expired branch was deleted by Neon.
sweep() {
    branches=$(python3 infra/neon.py list)
    stacks=$(aws cloudformation describe-stacks --output text \
        --query "Stacks[?starts_with(StackName, 'quotes-pr-')].[StackName]")
    secrets=$(aws secretsmanager list-secrets --output text \
        --query "SecretList[?starts_with(Name, 'quotes/pr-')].[Name]")
    found=$({
        echo "$branches"
        echo "$stacks" | sed -n 's/^quotes-pr-\([1-9][0-9]*\)$/\1/p'
        echo "$secrets" | sed -n 's|^quotes/pr-\([1-9][0-9]*\)/database$|\1|p'
    } | sort -nu)
    failed=
    for number in $found; do
        case " $* " in
        # Asked again: it may have been made since.
        *" $number "*) python3 infra/neon.py list | grep -qx "$number" && continue ;;
        esac
        sh infra/preview.sh down "$number" || failed="$failed $number"
    done
    [ -z "$failed" ] || fail "these are not deleted:$failed"
}

action=${1:-}
[ $# = 0 ] || shift
for number in "$@"; do
    case $number in
    '' | 0* | *[!0-9]*) fail "N is malformed; it should be the number of a pull request" ;;
    esac
done
case $action:$# in
up:1 | down:1)
    number=$1
    STAGE=pr-$number
    begin python3 "apt install python3"
    DATABASE_SECRET=quotes/$STAGE/database
    export STAGE DATABASE_SECRET
    "$action"
    ;;
sweep:*)
    STAGE=previews
    begin python3 "apt install python3"
    sweep "$@"
    ;;
*) fail "the arguments should be up N, down N, or sweep and the numbers of the open pull requests" ;;
esac
