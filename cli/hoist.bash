# SPDX-License-Identifier: MIT
# bash completion for hoist.  What there is to complete is what `hoist --help`
# and the help of each command say, so it cannot say anything else.

# Words from a help text: what `pattern` has in its group.
_hoist_words()
{
    local line
    while IFS= read -r line; do
        [[ $line =~ $1 ]] && printf '%s\n' "${BASH_REMATCH[1]}"
    done
}

_hoist_help()
{
    "${COMP_WORDS[0]/#\~/$HOME}" "$@" --help 2>/dev/null </dev/null
}

# The words behind an option that takes one of a few.
_hoist_values()
{
    case $1 in
        --type) echo group user tenant all ;;
        --log-format) echo text json ;;
        --log-level) echo error warn info debug ;;
        --profile) echo aws ;;
    esac
}

_hoist()
{
    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
    local first=${COMP_WORDS[1]} words second

    COMPREPLY=()
    if [[ $before == '=' ]]; then
        before=${COMP_WORDS[COMP_CWORD-2]}
    elif [[ $current == '=' ]]; then
        current=''
    fi
    words=$(_hoist_values "$before")
    if [[ -n $words ]]; then
        :
    elif ((COMP_CWORD == 1)) || [[ $first == help && $COMP_CWORD == 2 ]]; then
        words=$(_hoist_help | _hoist_words '^  ([a-z]+)  ')
    else
        second=$(_hoist_help "$first" | _hoist_words "hoist $first ([a-z]+)( |\$)")
        if [[ -z $second ]]; then
            words=$(_hoist_help "$first" | _hoist_words '^  (--[a-z-]+)')
        elif ((COMP_CWORD == 2)); then
            words=$second
        else
            words=$(_hoist_help "$first" "${COMP_WORDS[2]}" |
                    _hoist_words '^  (--[a-z-]+)')
        fi
        [[ $current == -* || $second == *$'\n'* && COMP_CWORD -eq 2 ]] || words=''
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -o default -F _hoist hoist
