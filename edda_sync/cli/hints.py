"""Suggestions for a command or option that does not exist: other words for the same thing, or a typing error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Final

import click

VERBS: Final[Mapping[str, tuple[str, ...]]] = {
    "add": ("new", "create", "make", "insert", "append"),
    "list": ("ls", "all", "index"),
    "show": ("cat", "view", "get", "open", "read", "display", "print", "info"),
    "edit": ("update", "change", "set", "modify", "write"),
    "start": ("begin", "claim"),
    "done": ("finish", "complete", "close", "check", "tick"),
    "rm": ("delete", "del", "remove", "trash", "erase", "drop"),
    "restore": ("undelete", "undo", "recover", "untrash"),
    "remove": ("rm", "delete", "del", "forget", "drop"),
    "rename": ("mv", "move"),
    "move": ("mv", "under"),
    "search": ("find", "grep", "query"),
}
"""Commands of groups, with the words that other programs use for them."""

INSIDE: Final[Mapping[str, tuple[str, ...]]] = {
    "create": ("new", "add", "make"),
    "drop": ("rm", "delete", "del", "remove"),
    "now": ("run", "create", "make", "start"),
    "install": ("add", "enable", "start", "create"),
    "uninstall": ("rm", "remove", "disable", "stop", "delete"),
    "rotate": ("change", "replace", "renew"),
    "dismiss": ("ignore", "close", "accept"),
}
"""The same, for what only means that behind the name of its group."""

PHRASES: Final[Mapping[str, tuple[str, ...]]] = {
    "task rename": ("task edit ID --title TEXT",),
    "task reopen": ("task edit ID --status open",),
    "task cancel": ("task edit ID --status cancelled",),
    "task block": ("task edit ID --status blocked",),
    "task priority": ("task edit ID --priority N",),
    "task due": ("task edit ID --due DATE", "task list due:week"),
    "task ready": ("task list",),
    "task overdue": ("task list overdue",),
    "task tree": ("task list --under ID",),
    "task history": ("history ID",),
    "doc history": ("history ID",),
    "doc diff": ("history ID",),
    "task undone": ("task edit ID --status open",),
    "task uncomplete": ("task edit ID --status open",),
    "task stop": ("task edit ID --status open",),
    "task undo": ("undo", "task restore ID"),
    "doc undo": ("undo", "doc restore ID"),
    "tag undo": ("undo",),
    "task annotate": ("task edit ID",),
    "task count": ("task list --count",),
    "task next": ("task list",),
    "task export": ("export FILE",),
    "task import": ("import taskwarrior FILE",),
    "task log": ("history ID",),
    "doc log": ("history ID",),
    "log": ("history",),
    "blame": ("history ID",),
    "clone": ("join CODE",),
    "send": ("invite", "bundle export FILE"),
    "receive": ("join CODE", "bundle import FILE"),
    "accept": ("join CODE",),
    "share": ("invite",),
    "login": ("join CODE",),
    "whoami": ("status",),
    "next": ("task list",),
    "ready": ("task list",),
    "today": ("task list due:today",),
    "overdue": ("task list overdue",),
    "fetch": ("sync", "doc fetch ID"),
    "merge": ("conflicts", "sync"),
    "checkout": ("task show ID --at TIME", "doc show ID --at TIME"),
    "reset": ("undo", "revert"),
    "remote": ("devices",),
    "diff": ("history", "conflicts"),
    "task tag": ("task edit ID --tag NAME",),
    "task link": ("link TASK DOCUMENT",),
    "doc rename": ("doc edit ID --title TEXT",),
    "doc mv": ("doc edit ID --title TEXT",),
    "doc tag": ("doc edit ID --tag NAME",),
    "doc link": ("link TASK DOCUMENT",),
    "doc attach": ("attach DOCUMENT FILE",),
    "task attach": ("attach DOCUMENT FILE", "link TASK DOCUMENT"),
    "doc import": ("import markdown PATH",),
    "doc export": ("export --format markdown DIR",),
    "tag edit": ("tag add NAME --color COLOR",),
    "tag update": ("tag add NAME --color COLOR",),
    "tag set": ("tag add NAME --color COLOR",),
    "tag show": ("task list --tag NAME", "doc list --tag NAME"),
    "import md": ("import markdown",),
    "import folder": ("import markdown PATH",),
    "import json": ("import jsonl FILE", "import beads FILE"),
    "import obsidian": ("import markdown PATH",),
    "import vault": ("import markdown PATH",),
    "import csv": ("import todoist FILE",),
    "import ical": ("import ics FILE",),
    "import caldav": ("import ics FILE",),
    "import task": ("import taskwarrior FILE",),
    "import todo": ("import todotxt FILE",),
    "man": ("manual DIR",),
    "import edda": ("import jsonl FILE",),
    "import export": ("import jsonl FILE",),
    "search": ("doc search WORDS", "task search WORDS"),
    "trash": ("task list --trash", "doc list --trash"),
    "find": ("doc search WORDS", "task search WORDS"),
    "tasks": ("task",),
    "todo": ("task",),
    "todos": ("task",),
    "document": ("doc",),
    "documents": ("doc",),
    "docs": ("doc",),
    "note": ("doc",),
    "notes": ("doc",),
    "tags": ("tag",),
    "label": ("tag",),
    "labels": ("tag",),
    "links": ("link",),
    "unlink": ("link --remove TASK DOCUMENT",),
    "device": ("devices",),
    "rename": ("devices rename NAME", "tag rename NAME NEW_NAME"),
    "members": ("devices",),
    "devices list": ("devices",),
    "devices ls": ("devices",),
    "devices add": ("invite", "join CODE"),
    "conflicts list": ("conflicts",),
    "conflicts ls": ("conflicts",),
    "conflicts resolve": ("conflicts restore ID FIELD", "conflicts dismiss ID FIELD"),
    "bundle create": ("bundle export FILE",),
    "bundle make": ("bundle export FILE",),
    "store info": ("status",),
    "store show": ("status",),
    "peers": ("devices", "status"),
    "pair": ("invite", "join CODE"),
    "connect": ("join CODE",),
    "start": ("up",),
    "run": ("up",),
    "serve": ("up",),
    "daemon": ("up",),
    "watch": ("up",),
    "push": ("sync",),
    "pull": ("sync",),
    "setup": ("init",),
    "settings": ("config show",),
    "configure": ("config set KEY VALUE",),
    "config get": ("config show KEY",),
    "config list": ("config show",),
    "config add": ("config set KEY VALUE",),
    "config edit": ("config set KEY VALUE",),
    "config rm": ("config unset KEY",),
    "verify": ("doctor",),
    "repair": ("doctor",),
    "fsck": ("doctor",),
    "check": ("doctor", "task done ID"),
    "backup target rm": ("backup target remove NAME",),
    "backup add": ("backup target add NAME URL",),
    "backup targets": ("backup target",),
    "backup to": ("backup target add NAME URL",),
    "backup recovery show": ("backup recovery new", "backup recovery check"),
    "backup recovery add": ("backup recovery new",),
    "backup recovery verify": ("backup recovery check",),
    "backup code": ("backup recovery",),
    "recovery": ("backup recovery new", "backup recovery check"),
    "targets": ("backup target",),
    "target": ("backup target",),
    "dump": ("export",),
    "conflict": ("conflicts",),
    "resolve": ("conflicts",),
    "st": ("status",),
    "version": ("--version",),
}
"""What people type, with its group, and the command for it here."""

OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "--description": ("desc", "body", "notes", "note", "details", "text", "content"),
    "--content": ("body", "text", "description", "desc"),
    "--file": ("content-file", "path", "from", "stdin", "description-file"),
    "--description-file": ("file", "path", "from", "stdin"),
    "--title": ("name", "subject", "heading", "summary"),
    "--priority": ("prio", "urgency", "importance"),
    "--status": ("state",),
    "--due": ("deadline", "due-date", "date", "until"),
    "--due-before": ("due-to", "due-until", "before"),
    "--due-after": ("due-from", "due-since", "after"),
    "--parent": ("under", "project", "subtask-of", "above"),
    "--tag": ("tags", "label", "labels"),
    "--untag": ("remove-tag", "rm-tag"),
    "--text": ("query", "search", "grep", "filter", "contains", "title", "words"),
    "--order": ("sort-by", "order-by"),
    "--reverse": ("desc", "descending"),
    "--limit": ("count", "max", "top", "number"),
    "--all": ("done", "everything"),
    "--at": ("host", "address", "addr", "peer", "ip", "to"),
    "--type": ("kind", "doc-type"),
    "--as": ("type", "kind", "relationship"),
    "--recursive": ("recurse", "subtasks"),
    "--force": ("overwrite", "yes"),
    "--metrics": ("prometheus", "stats", "figures", "exporter"),
    "--no-discovery": ("no-mdns", "offline"),
    "--rebuild": ("repair", "fix"),
}
"""Options, with the words that other programs use for them."""

FORMS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "doc add": {
        "`edda doc add FILE`, or `echo TEXT | edda doc add - --title TITLE`": (
            "content", "body", "text", "file", "description", "path", "from", "stdin",
        ),
    },
    "task add": {"`edda task add TITLE...`": ("title", "name", "subject", "summary", "text")},
    "tag add": {"`edda tag add NAME`": ("name", "title", "tag")},
    "export": {"`edda export PATH`": ("output", "out", "file", "path", "dir", "to")},
    "import markdown": {"`edda import markdown PATH`": ("file", "path", "dir", "from")},
    "import beads": {"`edda import beads FILE`": ("file", "path", "from")},
    "import jsonl": {"`edda import jsonl FILE`": ("file", "path", "from")},
    "join": {"`edda join CODE`": ("code",)},
    "doc search": {"`edda doc search WORDS...`": ("text", "query", "words")},
}  # fmt: skip
"""For each command: how to express, without an option, what other programs have an option for."""


def command(place: str, name: str, known: Mapping[str, Iterable[str]]) -> list[str]:
    """
    Return the commands that may have been meant, the most likely first; none if it cannot be guessed.

    Args:
        place: The group, such as ``task``; empty for the root.
        name: What was typed.
        known: The commands of the group, each with its own commands if it is a group.
    """
    word = name.casefold()
    behind = f"{place} " if place else ""
    phrase = PHRASES.get(f"{place} {word}".strip())
    if phrase is not None:
        return list(phrase)
    words = {**VERBS, **(INSIDE if place else {})}
    verbs = {verb for verb, others in words.items() if word == verb or word in others}
    meant = [f"{behind}{each}" for each in known if each in verbs]
    meant += [f"{behind}{each} {verb}" for each, below in known.items() for verb in below if verb in verbs]
    meant = meant or [f"{behind}{each}" for each in get_close_matches(word, known)]
    return meant or (
        [f"import {each} PATH" for each in known] if place == "import" else []
    )  # otherwise it is most likely a path


def option(place: str, name: str, known: Sequence[str]) -> str:
    """
    Return a question or sentence that suggests what may have been meant by an option; empty if it cannot be guessed.

    Args:
        place: The command, such as ``task add``.
        name: What was typed, such as ``--desc``.
        known: The options of the command.
    """
    word = name.lstrip("-").casefold()
    for form, others in FORMS.get(place, {}).items():
        if word in others:
            return f"It stands without an option: {form}."
    meant = [each for each in known if word in OPTIONS.get(each, ())]
    meant = meant or [each for each in known if word and each.startswith(f"--{word}")]
    meant = meant or get_close_matches(name, known)
    return f"Did you mean {either(meant)}?" if meant else ""


def either(meant: Sequence[str]) -> str:
    """Return a list of alternatives: ``a``, ``a or b``, ``a, b or c``."""
    *first, last = meant
    return f"{', '.join(first)} or {last}" if first else last


def commands_of(group: click.Group, ctx: click.Context) -> dict[str, list[str]]:
    """Return the commands of a group, each with its own commands if it is a group."""
    found: dict[str, list[str]] = {}
    for name in group.list_commands(ctx):
        below = group.get_command(ctx, name)
        found[name] = below.list_commands(ctx) if isinstance(below, click.Group) else []
    return found
