"""``edda doc fetch``: the content of attached files comes from the devices that have it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from edda_sync.cli.common import safe_line
from edda_sync.cli.running import Waiting, answers
from edda_sync.cli.secrets import unlock_first
from edda_sync.words.errors import NobodyHasFileError, UsageError
from edda_sync.words.units import size_in_words

if TYPE_CHECKING:
    from edda_sync.device.control import Answer
    from edda_sync.words.listed import Attachment

Places = tuple[tuple[str, int], ...]


def fetch(attachments: Sequence[Attachment], at: Places) -> list[str]:
    """
    Fetch attachments of one document from the devices that have them. No store may be open in this process.

    Returns:
        The names of those that were not here, or damaged.

    Raises:
        NobodyHasFileError: No device that could be reached has one of them, or all of it.
        UsageError: Something is wrong here, such as a full disk.
    """
    import asyncio

    unlock_first()
    final = asyncio.run(_fetch(attachments, at))
    if final.get("missing"):
        if final.get("fault"):
            raise UsageError(f"{safe_line(final['missing'][0])} could not be fetched: {safe_line(final['fault'])}")
        raise NobodyHasFileError(final["missing"][0])
    return list(final["wanted"])


async def _fetch(attachments: Sequence[Attachment], at: Places) -> Answer:
    from edda_sync.device import fetching

    document, ids = attachments[0].document_id, [each.id for each in attachments]
    request = {"do": "fetch", "document": document, "attachments": ids, "at": list(at)}
    final: Answer = {}
    what = f"{attachments[0].name}" if len(attachments) == 1 else f"{len(attachments):,} files"
    with Waiting(f"Fetching {what}") as waiting:
        async with aclosing(answers(request, lambda device: fetching.fetch(device, document, ids, at))) as stream:
            async for final in stream:
                waiting.update(f"Fetching {what}: {size_in_words(final['came'])} of {size_in_words(final['of'])}")
    return final
