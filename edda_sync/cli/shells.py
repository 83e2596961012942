"""
Shells: the scripts with which bash, zsh and fish complete a command line, and the answers that these scripts read.

A script hands over the line up to the cursor, as it was typed. All else is decided here: which word is being typed, what is
quoted, and what stands for it. click's own scripts leave that to the shells, which insert a tag of two words as two words,
and know nothing behind the ``:`` of ``status:`` and the ``=`` of ``--tag=``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import dropwhile
from typing import Final, NamedTuple

from click.shell_completion import CompletionItem, ShellComplete, add_completion_class

LINE: Final = "_EDDA_LINE"  # the line up to the cursor
PART: Final = "part"  # the type of a candidate to which more is added, such as ``due:``
_MENU: Final = ("37", "42")  # COMP_TYPE, where bash would insert a description, too
_SAFE: Final = r"[^\w@%+=:,./~-]"  # what a shell may take for something else; ASCII only, since letters are letters
_ESCAPED: Final = '$`"\\'  # what a backslash escapes between double quotes
_HELP_MAX: Final = 60  # characters of a title beside an id


class Word(NamedTuple):
    """
    A word of a command line.

    Attributes:
        raw: As it was typed.
        value: What the shell makes of it.
        quote: The quote that is still open behind it; empty if none is.
        plain: For each character of ``raw`` whether it stands outside of quotes, and is not escaped.
    """

    raw: str
    value: str
    quote: str
    plain: tuple[bool, ...]


def words(line: str) -> list[Word]:
    """Return the words of a line; the last one is the one that is being typed, which may be empty."""
    found: list[Word] = []
    raw, value, quote, plain, escaped = "", "", "", list[bool](), False

    def end() -> None:
        found.append(Word(raw, value, quote, tuple(plain)))

    for each in line:
        if not quote and not escaped and each.isspace():
            if raw:
                end()
            raw, value, plain = "", "", []
            continue
        raw += each
        plain.append(not (quote or escaped))
        if escaped:
            value += each if not quote or each in _ESCAPED else f"\\{each}"
            escaped = False
        elif each == "\\" and quote != "'":
            escaped, plain[-1] = True, False
        elif each == quote:
            quote = ""
        elif not quote and each in "\"'":
            quote = each
        else:
            value += each
    end()
    return found


class Line(ShellComplete):
    """What all shells share: the line is read, and a candidate is a line with tabs: its type, its value, its help."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the one that is being typed, without the command and variables before it; and that one."""
        *before, last = words(os.environ.get(LINE, ""))
        values = [each.value for each in before]
        return list(dropwhile(lambda word: re.match(r"\w+=", word), values))[1:], last.value

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        """Return the candidates; those for the value of ``--tag=`` begin with that."""
        found = super().get_completions(args, incomplete)
        option, equals, _ = incomplete.partition("=")
        if equals and option.startswith("--"):
            found = [
                each for each in found if not str(each.value).startswith("--")
            ]  # click takes ``=-d`` for an option
            for each in found:
                if each.type in ("plain", PART):
                    each.value = f"{option}={each.value}"
        return found

    def format_completion(self, item: CompletionItem) -> str:
        """Return a candidate as the script reads it."""
        shown = " ".join((item.help or "").split())
        return f"{item.type}\t{item.value}\t{shown}"


class Fish(Line):
    """Completes in fish, which quotes what it inserts, and shows the help."""

    name = "edda-fish"
    source_template = r"""
function %(complete_func)s
    set -l line (commandline -cp | string collect)
    for each in (env _EDDA_LINE="$line" %(complete_var)s=edda-fish_complete %(prog_name)s)
        set -l parts (string split \t -- $each)
        set -l before (string match -r -- '^--[^=]+=' (commandline -ct))
        switch $parts[1]
            case dir
                printf "$before%%s\n" (__fish_complete_directories $parts[2])
            case file
                printf "$before%%s\n" (__fish_complete_path $parts[2])
            case '*'
                printf '%%s\t%%s\n' $parts[2] $parts[3]
        end
    end
end

complete --no-files --keep-order --command %(prog_name)s --arguments "(%(complete_func)s)"
"""


class Zsh(Line):
    """Completes in zsh, which quotes what it inserts, and shows the help."""

    name = "edda-zsh"
    source_template = r"""#compdef %(prog_name)s
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }

%(complete_func)s() {
    local -a plain described part
    local line type value help
    (( $+commands[%(prog_name)s] )) || return 1
    for line in "${(@f)$(_EDDA_LINE="${(j: :)words[1,CURRENT-1]} $QIPREFIX$PREFIX" \
            %(complete_var)s=edda-zsh_complete %(prog_name)s)}"; do
        type="${line%%%%$'\t'*}" value="${line#*$'\t'}"
        help="${value#*$'\t'}" value="${value%%%%$'\t'*}"
        case "$type" in
            dir|file)
                compset -P '--[^=]##='
                if [[ $type == dir ]]; then _path_files -/; else _path_files -f; fi ;;
            part) part+=("$value") ;;
            plain)
                if [[ -n $help ]]; then described+=("${value//:/\\:}:$help"); else plain+=("$value"); fi ;;
        esac
    done
    [[ -z $described ]] || _describe -V unsorted described -U
    [[ -z $plain ]] || compadd -U -V unsorted -a plain
    [[ -z $part ]] || compadd -U -S '' -V unsorted -a part
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""


class Bash(Line):
    """Completes in bash. It inserts what it is given, so that is quoted here; and the help stands in the same column."""

    name = "edda-bash"
    source_template = r"""
%(complete_func)s() {
    local type value
    COMPREPLY=()
    while IFS=$'\t' read -r type value; do
        case "$type" in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            part) compopt -o nospace; COMPREPLY+=("$value") ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done < <(env _EDDA_LINE="${COMP_LINE:0:$COMP_POINT}" _EDDA_BREAKS="$COMP_WORDBREAKS" _EDDA_HOW="$COMP_TYPE" \
        _EDDA_COLUMNS="${COLUMNS:-80}" %(complete_var)s=edda-bash_complete "$1")
}

complete -o nosort -F %(complete_func)s %(prog_name)s 2>/dev/null || complete -F %(complete_func)s %(prog_name)s
"""

    def complete(self) -> str:
        """Return the candidates, as readline takes them for what stands behind the last character that breaks words."""
        args, incomplete = self.get_completion_args()
        found = self.get_completions(args, incomplete)
        if any(each.type not in ("plain", PART) for each in found):
            return "\n".join(f"{each.type}\t" for each in found)
        typed = words(os.environ.get(LINE, ""))[-1]
        kept, begun = _kept(typed, os.environ.get("_EDDA_BREAKS", ""))
        texts = [_inserted(str(each.value), kept, typed.quote) for each in found]
        said = [" ".join((each.help or "").split()) for each in found]
        if len(found) > 1 and any(said) and os.environ.get("_EDDA_HOW") not in _MENU:
            texts = _beside(texts, said, int(os.environ.get("_EDDA_COLUMNS") or 80))
            if not all(text.startswith(begun) for text in texts):  # found by titles: what is typed stays
                texts.append(" ")
        only = len(found) == 1 and found[0].type == PART
        return "\n".join(f"{PART if only else 'plain'}\t{text}" for text in texts)


def _kept(word: Word, breaks: str) -> tuple[str, str]:
    """Return the value of the part of a word that bash leaves as it is, and the part behind that, as it was typed."""
    at = [
        number + 1
        for number, each in enumerate(word.raw)
        if each in breaks and each not in "\"'" and word.plain[number]
    ]
    if not at:
        return "", word.raw
    return words(word.raw[: at[-1]])[-1].value, word.raw[at[-1] :]


def _inserted(value: str, kept: str, quote: str) -> str:
    """Return what is put behind the part of a word that stays, quoted unless a quote is open."""
    rest = value.removeprefix(kept)
    if quote == '"':
        return "".join(f"\\{each}" if each in _ESCAPED else each for each in rest)
    return rest if quote else re.sub(_SAFE, r"\\\g<0>", rest)


def _beside(texts: Sequence[str], said: Sequence[str], columns: int) -> list[str]:
    """Return each text with its help beside it, cut to the width of a terminal."""
    width = max(map(len, texts))
    room = min(columns - width - 4, _HELP_MAX)
    if room < 1:
        return list(texts)
    return [
        f"{text:<{width}}  {each if len(each) <= room else each[: room - 1] + '…'}".rstrip()
        for text, each in zip(texts, said, strict=True)
    ]


SHELLS: Final[dict[str, type[Line]]] = {"bash": Bash, "zsh": Zsh, "fish": Fish}
"""What completes in each shell."""


def register() -> None:
    """Make these known to click, beside its own, which scripts of older versions ask for."""
    for each in SHELLS.values():
        add_completion_class(each)
