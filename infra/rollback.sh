#!/bin/sh
# Returns a stage to the previous release: `make rollback STAGE=…`.
#
#   RELEASE  the release to return to; by default the previous one
#
# Each release is a published version of every function, and the API calls the
# alias `live`. Nothing is built or uploaded, so it takes seconds. The database
# does not change, and an earlier version uses the password that it was deployed with.
set -eu
# shellcheck source=infra/stage.sh
. "$(dirname "$0")/stage.sh"

begin python3 "apt install python3" curl "apt install curl"
need_stack
functions=$(functions)

# The release that a function's `live` points to.
live() {
    aws lambda get-function-configuration --function-name "$1" --qualifier live --query Description --output text
}

# The releases that a function has versions of: version and name, one a line.
releases() {
    aws lambda list-versions-by-function --function-name "$1" \
        --query "Versions[?Version!='\$LATEST'].[Version,Description]" --output text |
        awk '$2 == "Release" { print $1, $3 }'
}

for function in $functions; do
    # Side by side: each call takes half a second.
    { live "$function" && releases "$function" >"$work/$function"; } >"$work/live-$function" &
    echo $! >>"$work/asked"
done
while read -r process; do wait "$process"; done <"$work/asked"
cat "$work"/live-* >"$work/live"
# Names begin with the time. If a rollback was interrupted, some functions are
# still at the newest of these releases: it is the one to leave.
current=$(sed -n 's/^Release //p' "$work/live" | sort | tail -n 1)
# The releases that every function has: a failed deployment may have published some
# versions. A function that was added later (CLERK_WEBHOOK) stays as it is.
for function in $functions; do awk -v name="$function" '{ print name, $2 }' "$work/$function"; done | awk '
    { has[$1, $2] = releases[$2] = 1; if (!($1 in first) || $2 < first[$1]) first[$1] = $2 }
    END { for (release in releases) {
        lacking = 0
        for (name in first) if (first[name] <= release && !((name, release) in has)) lacking = 1
        if (!lacking) print release } }' | sort >"$work/releases"

if [ -n "${RELEASE:-}" ]; then
    target=$RELEASE
    grep -qxF "$target" "$work/releases" ||
        fail "there is no release $target of $stack; the releases are $(tr '\n' ' ' <"$work/releases")"
else
    target=$(awk -v current="$current" '$1 < current' "$work/releases" | tail -n 1)
    [ -n "$target" ] || fail "there is no release of $stack before $current"
fi

for function in $functions; do
    version=$(awk -v name="$target" '$2 == name { print $1 }' "$work/$function" | tail -n 1)
    [ -n "$version" ] || continue
    aws lambda update-alias --function-name "$function" --name live --function-version "$version" >/dev/null ||
        fail "$function could not be changed: run the same command again to continue"
done
echo "rollback: from release $current to $target"
# shellcheck disable=SC2119 # of all functions
check
