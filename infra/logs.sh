#!/bin/sh
# Prints what the functions of a stage logged: `make logs STAGE=…`.
#
#   SINCE   how far back (default 10min ago)
#   FOLLOW  1: keep printing until Ctrl-C
set -eu
# shellcheck source=infra/stage.sh
. "$(dirname "$0")/stage.sh"

begin sam "https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/install-sam-cli.html"
need_stack
set --
[ "${FOLLOW:-0}" != 1 ] || set -- --tail
sam logs --stack-name "$stack" --region "$region" --start-time "${SINCE:-10min ago}" "$@"
