#!/usr/bin/env bash
# Every C file is as .clang-format says.  Versions of clang-format disagree,
# so that of Debian 12 decides; where it is not there this is skipped (77).
set -euo pipefail
cd "$(dirname "$0")/../.."

tool=clang-format-14
if ! command -v $tool >/dev/null; then
    echo "skipped: no $tool"
    exit 77
fi
mapfile -t files < <(git ls-files --cached --others --exclude-standard \
    '*.c' '*.h')
echo "${#files[@]} files"
[ "${#files[@]}" -gt 0 ]
# It breaks a banner that is too long, and leaves it so.
if grep -nE '^/\* --- .*-$' "${files[@]}"; then
    echo "These banners are to be one line each, of 79 characters."
    exit 1
fi
$tool --dry-run -Werror "${files[@]}"
