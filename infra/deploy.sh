#!/bin/sh
# Deploys a stage: `make deploy STAGE=…`. infra/README.md has its settings.
#
#   MIGRATE=1        apply pending migrations first, with MIGRATION_DATABASE_URL
#   BUILD=0          deploy the existing artefacts
#   ARCH, LAMBDA_DIR as for infra/build.sh
#   PREFLIGHT=strict a database that this machine cannot reach ends it too
#   MIGRATIONS       the program that checks and migrates; by default that of the artefacts
#   ARTIFACT_BUCKET  bucket for the artefacts; by default one that SAM makes
#   EXECUTION_ROLE_ARN  role with which CloudFormation changes the stack; by default the caller's rights
set -eu
# shellcheck source=infra/stage.sh
. "$(dirname "$0")/stage.sh"

# Whoever deploys a stage for the first time can be asked for its settings.
if [ -t 0 ] && [ -n "${STAGE:-}" ] && [ ! -f "infra/stages/$STAGE.env" ] && [ -z "${CLERK_PUBLISHABLE_KEY:-}" ]; then
    printf 'There is no infra/stages/%s.env. Set the stage up now, as make setup does (y/n)? ' "$STAGE"
    read -r answer || :
    case ${answer:-} in y | yes) exec sh infra/setup.sh ;; esac
fi

ARCH=${ARCH:-arm64}
LAMBDA_DIR=${LAMBDA_DIR:-target/lambda}
DATABASE_SECRET=${DATABASE_SECRET:-quotes/${STAGE:-}/database}

# Only what is compiled needs it.
set -- cargo "https://rustup.rs"
[ "${BUILD:-1}" != 0 ] || set --
begin sam "https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/install-sam-cli.html" \
    "$@" python3 "apt install python3" curl "apt install curl"

case ${BUILD:-1} in
0 | 1) ;;
*) fail "BUILD is malformed; it should be 0 or 1" ;;
esac

case ${MIGRATE:-0} in
0) ;;
1) [ -n "${MIGRATION_DATABASE_URL:-}" ] ||
    fail "MIGRATION_DATABASE_URL is not set; MIGRATE=1 needs the owner's unpooled URL" ;;
*) fail "MIGRATE is malformed; it should be 0 or 1" ;;
esac

# A preview runs the code of a pull request.
case $STAGE:${CLERK_NONCE_HANDSHAKES:-} in
pr-*:true) fail "CLERK_NONCE_HANDSHAKES must not be set: the preview $STAGE gets no Clerk secret key" ;;
esac

# Earlier versions do not know all that is asked of `sam deploy` here.
sam_version=$(sam --version)
sam_version=${sam_version##* }
echo "$sam_version" | awk -F. '{ exit !($1 > 1 || $1 == 1 && $2 >= 170) }' ||
    fail "sam is version $sam_version; it should be 1.170 or later"

state=$(state)
case $state in
'' | REVIEW_IN_PROGRESS) ;;
*_IN_PROGRESS) fail "$stack is being changed ($state): wait, then deploy again" ;;
UPDATE_ROLLBACK_FAILED)
    fail "$stack is stuck ($state): run aws cloudformation continue-update-rollback --stack-name $stack" ;;
UPDATE_FAILED)
    fail "$stack is half updated ($state): run aws cloudformation rollback-stack --stack-name $stack" ;;
IMPORT_ROLLBACK_FAILED)
    fail "$stack is stuck ($state): run aws cloudformation describe-stack-events --stack-name $stack, and ask AWS to end the import" ;;
DELETE_FAILED)
    fail "$stack is half deleted ($state): run make destroy STAGE=$STAGE to delete the rest, then deploy again" ;;
# No release of these was ever live.
CREATE_FAILED | ROLLBACK_COMPLETE | ROLLBACK_FAILED)
    fail "$stack was never complete and cannot be updated ($state): run make destroy STAGE=$STAGE, then deploy again" ;;
esac

# no_secret: why the secret cannot be read.
no_secret() {
    case $(said) in
    *ResourceNotFoundException*)
        fail "DATABASE_SECRET names a secret that cannot be found ($DATABASE_SECRET): infra/README.md says how to create it" ;;
    *deletion*)
        fail "$DATABASE_SECRET is scheduled for deletion: run aws secretsmanager restore-secret --secret-id $DATABASE_SECRET" ;;
    *) fail "$DATABASE_SECRET cannot be read: $(said)" ;;
    esac
}

# The newest version: after a rotation the next deployment takes it. The secret is in
# no file and in no argument.
secret=$(aws secretsmanager get-secret-value --secret-id "$DATABASE_SECRET" \
    --query '[VersionId,SecretString]' --output text 2>"$work/said") || no_secret
DATABASE_SECRET_VERSION=${secret%%"$(printf '\t')"*}
secret=${secret#*"$(printf '\t')"}

RELEASE=$(date -u +%Y%m%dT%H%M%SZ)-$(git rev-parse --short HEAD 2>/dev/null || echo unversioned)
export ARCH DATABASE_SECRET DATABASE_SECRET_VERSION RELEASE

if [ "${BUILD:-1}" = 0 ]; then
    [ -x "${MIGRATIONS:=$LAMBDA_DIR/migrations}" ] || fail "LAMBDA_DIR has no artefacts: run make build"
elif [ -z "${MIGRATIONS:-}" ]; then
    python3 dev/tools.py
fi

# migrations [ARGUMENT]...: the program of that name.
migrations() {
    if [ -n "${MIGRATIONS:-}" ]; then
        "$MIGRATIONS" "$@"
    else
        cargo run --quiet --locked --bin migrations -- "$@"
    fi
}

# preflight: judges what the functions will be given, and writes it as the template's parameters.
preflight() {
    printf '%s' "$secret" | migrations check infra/template.yaml >"$work/parameters.yaml"
}

preflight || exit 1

if [ "${BUILD:-1}" = 1 ]; then
    LAMBDA_DIR=$LAMBDA_DIR sh infra/build.sh
fi
# The template names the default folder.
folder=$(CDPATH='' cd -- "$LAMBDA_DIR" 2>/dev/null && pwd) || fail "LAMBDA_DIR has no artefacts: run make build"
sed "s|\.\./target/lambda/|$folder/|" infra/template.yaml >"$work/template.yaml"

# What is live now: function, version and release, one a line.
case $state in
'' | REVIEW_IN_PROGRESS) first=1 ;;
*)
    first=0
    names=$(functions)
    for function in $names; do
        version=$(aws lambda get-function-configuration --function-name "$function" --qualifier live \
            --query '[Version,Description]' --output text)
        echo "$function $version"
    done >"$work/before"
    ;;
esac

# go_back: makes live again what was. Before the first release there was no stack.
go_back() {
    if [ "$first" = 0 ]; then
        stuck=
        : >"$work/back"
        while read -r function version description; do
            aws lambda update-alias --function-name "$function" --name live --function-version "$version" \
                >/dev/null 2>"$work/said" && echo "$function $version $description" >>"$work/back" && continue
            case $(said) in
            # This release has it no more, and so it is gone.
            *ResourceNotFoundException*) ;;
            *) stuck="$stuck $function" ;;
            esac
        done <"$work/before"
        [ -z "$stuck" ] || fail "could not be changed back:$stuck: run make rollback STAGE=$STAGE"
        return
    fi
    state=$(state)
    case $state in
    '') ;;
    REVIEW_IN_PROGRESS) remove ;;
    *)
        # Somebody else may have made the stage meanwhile.
        made=$(aws cloudformation describe-stacks --stack-name "$stack" --output text \
            --query "Stacks[0].Parameters[?ParameterKey=='Release'].ParameterValue")
        [ "$made" != "$RELEASE" ] || remove
        ;;
    esac
}

migrated=
if [ "${MIGRATE:-0}" = 1 ]; then
    migrated=$(migrations)
    echo "$migrated"
fi
case $migrated in
applied*)
    # They are not taken back: a migration only adds, and the release before works with it.
    kept="; the database keeps its migrations ($migrated)"
    # What a role may do with a table is known once it is there.
    preflight || fail "$stack was not deployed$kept"
    ;;
*) kept= ;;
esac

if [ -n "${ARTIFACT_BUCKET:-}" ]; then
    set -- --s3-bucket "$ARTIFACT_BUCKET"
else
    set -- --resolve-s3
fi
[ -z "${EXECUTION_ROLE_ARN:-}" ] || set -- "$@" --role-arn "$EXECUTION_ROLE_ARN"
# Each release has its own prefix and so publishes a new version of every
# function: `make rollback` can then find the versions of one release.
sam deploy "$@" --language-extensions --tags "Application=quotes Stage=$STAGE" \
    --s3-prefix "$stack/$RELEASE" --template-file "$work/template.yaml" --stack-name "$stack" --region "$region" \
    --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND \
    --parameter-overrides "file://$work/parameters.yaml" --no-progressbar || {
    # SAM also fails when it loses sight of the stack.
    state=$(state)
    case $state in
    REVIEW_IN_PROGRESS | *_CLEANUP_IN_PROGRESS) ;;
    # CloudFormation would move `live` after this.
    *_IN_PROGRESS) fail "$stack is still being changed ($state): wait, then deploy again$kept" ;;
    UPDATE_ROLLBACK_FAILED)
        go_back
        fail "$stack is stuck ($state): run aws cloudformation continue-update-rollback --stack-name $stack$kept"
        ;;
    esac
    go_back
    [ "$first" = 0 ] || fail "$stack was not deployed; nothing is left of it$kept"
    fail "$stack was not deployed; it is as it was before$kept"
}

echo "deploy: release $RELEASE"
check || {
    go_back
    [ "$first" = 0 ] || fail "release $RELEASE does not work: $stack was deleted again$kept"
    # That of most: a function that was new with a failed release stayed at that.
    release=$(awk '{ n[$4]++ } END { for (r in n) print n[r], r }' "$work/back" | sort -n | tail -n 1 | cut -d ' ' -f 2)
    # Without those that are new: they stay as they are.
    # shellcheck disable=SC2046 # one argument for each function
    check $(awk '{ print $1 }' "$work/back") || echo "deploy: release $release does not pass the same check" >&2
    fail "release $RELEASE does not work: release $release is live again$kept"
}

case $CLERK_PUBLISHABLE_KEY in
pk_live_*)
    aws cloudformation update-termination-protection --enable-termination-protection --stack-name "$stack" >/dev/null ||
        echo "deploy: warning: $stack is not protected against deletion" >&2
    ;;
esac
