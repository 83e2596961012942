"""Pictures of runs: whole, self-contained, nothing left out, and drawn by a real browser."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import zlib
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest

from edda_sync.simulations import picture
from edda_sync.simulations.checker import Checker
from edda_sync.simulations.picture.diagram import LEFT, RIGHT, Diagram
from edda_sync.simulations.picture.drawing import WIDTH
from edda_sync.simulations.picture.report import verdict_of
from edda_sync.simulations.picture.scale import Scale
from edda_sync.simulations.protocols import Verdict
from edda_sync.simulations.recording import CUTS, Recording
from edda_sync.simulations.scenarios import SCENARIOS
from edda_sync.simulations.tape import Profile
from edda_sync.simulations.violation import Violation
from tests.simulations.picture.drawn import SVG, acted_out, parsed, recorded

HTML = "{http://www.w3.org/1999/xhtml}"
BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
in_a_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium here (the Debian package is called chromium)")


def lanes_of(root: ElementTree.Element) -> list[str]:
    return [text.attrib["data-lane"] for text in root.iter(f"{SVG}text") if "data-lane" in text.attrib]


@pytest.mark.parametrize("seed", [2, 6, 11, 13, 14, 16, 21, 25])  # short runs, half of them with attached files
def test_a_page_of_any_seed_is_well_formed_whole_and_on_its_own(seed: int) -> None:
    recording, verdict = recorded(seed)
    page = picture.page(recording, verdict, command=f"edda simulate --seed {seed}")
    root = parsed(page)
    assert lanes_of(root) == recording.devices, "every device has a lane"
    cuts = [spell for spell in recording.spells() if spell.what in CUTS and spell.end > spell.start]
    drawn = [group for group in root.iter(f"{SVG}g") if "data-cut" in group.attrib]
    assert [group.attrib["data-cut"] for group in drawn] == [spell.what for spell in cuts], "every cut is drawn"
    assert all(len(group) > 1 for group in drawn), "each has a shape beside its title"
    assert not re.search(r"(?:src|href)=|@import|url\((?!#)|https?://(?!www\.w3\.org/)", page), "nothing from elsewhere"
    assert [script.text for script in root.iter(f"{HTML}script")] != [None]


def test_a_page_says_what_it_shows_and_how_it_ended_and_how_to_repeat_it() -> None:
    recording, verdict = recorded(21)
    page = picture.page(
        recording, verdict, command="edda simulate --seed 3 --calm", title="A & B", story="Once < twice."
    )
    text = " ".join(parsed(page).itertext())
    for said in ("A & B", "Once < twice.", "edda simulate --seed 3 --calm", verdict_of(recording, verdict), "Held."):
        assert said in text
    assert verdict.digest[:16] in text
    assert all(group in text for group in verdict.profile.groups)


def test_a_page_of_a_violation_names_the_invariant_and_the_device_and_the_reason() -> None:
    class Never(Checker):
        number = 7

        def healed(self) -> None:
            self.fail(self.sim.devices[1], "somebody's <patience> has ended")

    recording = Recording()
    verdict = SCENARIOS["island"].simulation(recording, Never).run()
    page = picture.page(recording, verdict, command="edda simulate --scenario island")
    text = " ".join(parsed(page).itertext())
    assert "Invariant 7 does not hold at phone" in text
    assert "somebody's <patience> has ended" in text
    assert "Failed." in text
    assert "all proved equal" not in text


def test_a_page_of_code_that_raised_shows_the_place() -> None:
    profile = Profile(2, "memory", frozenset(), real_keys=False, lawless=0)
    verdict = Verdict(1, profile, Violation(0, "phone", "KeyError: 3"), trace="Traceback: line 3", virtual_s=4.0)
    page = picture.page(Recording(), verdict, command="edda simulate --seed 1")
    assert "The code failed at phone after 4 s." in page
    assert "Traceback: line 3" in page


def test_every_action_is_in_the_table() -> None:
    recording, _, page = acted_out("split-brain")
    text = " ".join(parsed(page).itertext())
    done = [moment.facts["action"] for moment in recording.moments if moment.what == "does"]
    assert len(done) == 10
    assert all(what in text for what in done)
    assert "cut for 1 d: laptop, phone | tablet, desktop" in text


def browse(folder: Path, page: str, *options: str) -> str:
    file = folder / "page.html"
    file.write_text(page, encoding="utf-8")
    assert BROWSER is not None
    command = [
        BROWSER,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        f"--user-data-dir={folder}/profile",
    ]
    done = subprocess.run([*command, *options, file.as_uri()], capture_output=True, text=True, check=True, timeout=120)
    return done.stdout


@in_a_browser
def test_a_browser_shows_the_verdict_and_runs_the_script(tmp_path: Path) -> None:
    recording, verdict, page = acted_out("island")
    watched = page.replace(
        "<head>", "<head><script>onerror = function (what) { document.title = 'ERROR ' + what; };</script>"
    )
    dom = browse(tmp_path, watched, "--dump-dom")
    assert verdict_of(recording, verdict) in dom
    assert "<title>ERROR" not in dom
    assert dom.count("<button>") == 4, "the script has put its buttons there"


@in_a_browser
@pytest.mark.parametrize("scheme", [0, 1], ids=["dark", "light"])
def test_a_browser_draws_every_lane_where_it_should_be(tmp_path: Path, scheme: int) -> None:
    recording, _, _ = acted_out("island")
    drawn = picture.svg(recording)
    diagram = Diagram(recording, Scale([0, 1], LEFT, RIGHT), 1)
    width, height = int(WIDTH), int(diagram.bottom)
    page = f'<!DOCTYPE html><html><body style="margin:0"><div style="width:{width}px">{drawn}</div></body></html>'
    shot = tmp_path / "shot.png"
    dark = f"--blink-settings=preferredColorScheme={scheme}"
    browse(
        tmp_path, page, f"--screenshot={shot}", f"--window-size={width},{height + 200}", dark
    )  # some give a part to their frame
    pixels = png(shot, height)
    assert (len(pixels[0]) // 3, len(pixels)) == (width, height)
    paper = colour(pixels, width - 10, 6)
    assert (sum(paper) > 380) == (scheme == 1), "dark where the reader's system is dark"
    lines = [
        Counter(colour(pixels, x, round(diagram.line_of(name))) for x in range(300, 700)) for name in recording.devices
    ]
    shown = [line.most_common(1)[0][0] for line in lines]
    assert len(set(shown)) == len(shown)
    assert all(max(each) - min(each) > 90 for each in shown), "each lane has a line, of a colour of its own"
    assert len({colour(pixels, x, y) for x in range(0, width, 3) for y in range(0, height, 3)}) > 60


def colour(pixels: list[bytes], x: int, y: int) -> tuple[int, ...]:
    return tuple(pixels[y][3 * x : 3 * x + 3])


def png(file: Path, height: int) -> list[bytes]:
    """Return the first rows of a picture, three bytes a point. Source: the PNG specification, sections 9 and 10."""
    data, at = file.read_bytes(), 8
    chunks = b""
    width = points = 0
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, points = struct.unpack(">I", body[:4])[0], {2: 3, 6: 4}[body[9]]
        elif kind == b"IDAT":
            chunks += body
        at += 12 + length
    raw, stride = zlib.decompress(chunks), width * points
    rows, before = [], bytes(stride)
    for start in range(0, height * (stride + 1), stride + 1):
        before = unfiltered(raw[start], raw[start + 1 : start + 1 + stride], before, points)
        rows.append(b"".join(before[x : x + 3] for x in range(0, stride, points)))
    return rows


def unfiltered(how: int, line: bytes, above: bytes, points: int) -> bytes:
    out = bytearray(line)
    for index, value in enumerate(line):
        left = out[index - points] if index >= points else 0
        up, corner = above[index], above[index - points] if index >= points else 0
        out[index] = (value + (0, left, up, (left + up) // 2, paeth(left, up, corner))[how]) & 255
    return bytes(out)


def paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    return min((left, up, corner), key=lambda each: abs(guess - each))
