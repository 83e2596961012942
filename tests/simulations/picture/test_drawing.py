from __future__ import annotations

from xml.etree import ElementTree

from edda_sync.simulations.picture.marks import element


def test_text_of_users_cannot_break_an_element() -> None:
    made = element("text", 'a < b & "c"', title="<'\">", font_size=3.14159)
    read = ElementTree.fromstring(made)
    assert (read.text, read.attrib) == ('a < b & "c"', {"title": "<'\">", "font-size": "3.1"})
