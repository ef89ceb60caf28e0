#!/bin/sh
# Asks for what a stage needs, makes it and deploys: `make setup STAGE=…`. setup.py asks.
#
#   MIGRATE, BUILD, MIGRATIONS, ARCH, LAMBDA_DIR  as for deploy.sh
set -eu
# shellcheck source=infra/stage.sh
. "$(dirname "$0")/stage.sh"

[ -t 0 ] || fail "there is no terminal to ask on; infra/README.md says how to set a stage up by hand"
if [ ! -f "infra/stages/${STAGE:-}.env" ] && [ -z "${AWS_REGION:-}" ]; then
    echo "AWS region of the stage, the one that its Neon project is in or near, such as eu-central-1."
    region=$(aws configure get region 2>/dev/null || :)
    printf 'Region%s: ' "${region:+ [$region]}"
    read -r AWS_REGION || :
    AWS_REGION=${AWS_REGION:-$region}
    export AWS_REGION
fi
begin sam "https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/install-sam-cli.html" \
    cargo "https://rustup.rs" python3 "apt install python3" curl "apt install curl"
export STAGE
python3 infra/setup.py "$work"
sh infra/deploy.sh
echo "setup: from now on, make deploy STAGE=$STAGE deploys it"
