#!/bin/sh
# Deletes a stage, after asking: `make destroy STAGE=…`.
#
#   ARTIFACT_BUCKET  as for deploy.sh
set -eu
# shellcheck source=infra/stage.sh
. "$(dirname "$0")/stage.sh"

# shellcheck disable=SC2119 # no further tool
begin
state=$(state)
[ -n "$state" ] || fail "there is no stack $stack in $region"
[ "$(aws cloudformation describe-stacks --stack-name "$stack" \
    --query 'Stacks[0].EnableTerminationProtection' --output text)" != True ] ||
    fail "$stack is protected against deletion; if it is to go, run aws cloudformation update-termination-protection --no-enable-termination-protection --stack-name $stack, then make destroy STAGE=$STAGE again"
echo "This deletes $stack with its URL, its releases and its logs. The database and its secret are kept."
printf 'Type the name of the stage to continue: '
read -r answer || :
[ "$answer" = "$STAGE" ] || fail "nothing was deleted"

remove
echo "destroy: $stack was deleted"
