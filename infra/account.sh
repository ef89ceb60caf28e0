#!/bin/sh
# Makes or updates what deployments from GitHub need of the AWS account: `make account`.
# account.yaml says what that is, and the last lines say which settings follow from it.
#
#   GITHUB_REPOSITORY  owner/name; by default that of the last time, or of the remote "origin"
#   HOSTED_ZONE_ID     the zone in which production's deployment makes the domain's record;
#                      by default that of the last time
set -eu
# shellcheck source=infra/stage.sh
. "$(dirname "$0")/stage.sh"

unset STAGE
stack='account-quotes'
enter

state=$(state)
case $state in
'' | REVIEW_IN_PROGRESS) first=1 ;;
*_IN_PROGRESS) fail "$stack is being changed ($state): wait, then run it again" ;;
ROLLBACK_COMPLETE | ROLLBACK_FAILED | CREATE_FAILED | DELETE_FAILED)
    fail "$stack is not complete ($state): run aws cloudformation delete-stack --stack-name $stack, then make account again" ;;
*) first=0 ;;
esac
# The bucket is kept when the stack is deleted, with the releases in it.
bucket=quotes-artefacts-$account-$region
if [ "$first" = 1 ] && aws s3api head-bucket --bucket "$bucket" --expected-bucket-owner "$account" >/dev/null 2>&1; then
    fail "the bucket $bucket is left from before: copy the releases that a stage needs with aws s3 sync, run aws s3 rb --force s3://$bucket, make account again, and copy them back"
fi

# What is not given stays as it was.
set --
if [ "$first" = 1 ] || [ -n "${GITHUB_REPOSITORY:-}" ]; then
    repository=${GITHUB_REPOSITORY:-$(git remote get-url origin 2>/dev/null |
        sed -n 's|\.git$||; s|.*github\.com[:/]\([^/]*/[^/]*\)$|\1|p')}
    echo "$repository" | grep -qx '[^/ ]\{1,\}/[^/ ]\{1,\}' ||
        fail "GITHUB_REPOSITORY is not set or malformed; it should be owner/name"
    set -- "Repository=$repository"
fi
[ -z "${HOSTED_ZONE_ID:-}" ] || set -- "$@" "ZoneId=$HOSTED_ZONE_ID"

# The account's identity provider, unless an earlier run has made it.
own=$(aws cloudformation list-stack-resources --stack-name "$stack" --output text \
    --query "StackResourceSummaries[?LogicalResourceId=='GitHub'].PhysicalResourceId" 2>/dev/null || :)
provider=$(aws iam list-open-id-connect-providers --output text \
    --query "OpenIDConnectProviderList[?ends_with(Arn, '/token.actions.githubusercontent.com')].Arn" 2>"$work/said") ||
    fail "the account's identity providers cannot be listed: $(said)"
[ -z "$own" ] || provider=

aws cloudformation deploy --stack-name "$stack" --template-file infra/account.yaml --no-fail-on-empty-changeset \
    --capabilities CAPABILITY_NAMED_IAM CAPABILITY_AUTO_EXPAND --tags Application=quotes \
    --parameter-overrides "$@" "Provider=$provider" >"$work/done" 2>"$work/said" ||
    fail "$stack was not changed: $(said)"

echo "account: set these variables in GitHub's environments, and those of a stage but AWS_ROLE_ARN in its file in infra/stages"
aws cloudformation describe-stacks --stack-name "$stack" --output text \
    --query 'Stacks[0].Outputs[].[OutputKey,OutputValue]' | sed 's/\t/: /'
