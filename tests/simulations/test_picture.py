"""Pictures of runs: whole, self-contained, nothing left out, and drawn by a real browser."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import zlib
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from edda_sync.simulations import picture
from edda_sync.simulations.checker import Checker
from edda_sync.simulations.faults import isolate, one_way
from edda_sync.simulations.picture import words
from edda_sync.simulations.picture.diagram import LEFT, RIGHT, Diagram
from edda_sync.simulations.picture.drawing import WIDTH
from edda_sync.simulations.picture.marks import about, element, span_of
from edda_sync.simulations.picture.report import verdict_of
from edda_sync.simulations.picture.scale import Scale
from edda_sync.simulations.protocols import Verdict
from edda_sync.simulations.recording import CUTS, Message, Moment, Recording, Spell
from edda_sync.simulations.runs import run
from edda_sync.simulations.scenarios import SCENARIOS
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import Draws, Profile, Tape
from edda_sync.simulations.violation import Violation

SVG = "{http://www.w3.org/2000/svg}"
HTML = "{http://www.w3.org/1999/xhtml}"
BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
in_a_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium here (the Debian package is called chromium)")


def recorded(seed: int) -> tuple[Recording, Verdict]:
    recording = Recording()
    return recording, run(Tape(seed, backend="memory"), recording)


def acted_out(name: str) -> tuple[Recording, Verdict, str]:
    recording = Recording()
    verdict = SCENARIOS[name].simulation(recording).run()
    return recording, verdict, picture.page(recording, verdict, command=f"edda simulate --scenario {name}")


def parsed(page: str) -> ElementTree.Element:
    return ElementTree.fromstring(page)


def lanes_of(root: ElementTree.Element) -> list[str]:
    return [text.attrib["data-lane"] for text in root.iter(f"{SVG}text") if "data-lane" in text.attrib]


# --- whole pages ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(0, 60, 5))
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


def test_a_page_says_what_it_is_how_it_ended_and_how_to_repeat_it() -> None:
    recording, verdict = recorded(3)
    page = picture.page(
        recording, verdict, command="edda simulate --seed 3 --calm", title="A & B", story="Once < twice."
    )
    text = " ".join(parsed(page).itertext())
    for said in ("A & B", "Once < twice.", "edda simulate --seed 3 --calm", verdict_of(recording, verdict), "Held."):
        assert said in text
    assert verdict.digest[:16] in text
    assert all(group in text for group in verdict.profile.groups)


def test_a_page_of_a_violation_says_which_invariant_where_and_why() -> None:
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


def test_a_page_of_code_that_raised_shows_where() -> None:
    profile = Profile(2, "memory", frozenset(), real_keys=False, lawless=0)
    verdict = Verdict(1, profile, Violation(0, "phone", "KeyError: 3"), trace="Traceback: line 3", virtual_s=4.0)
    page = picture.page(Recording(), verdict, command="edda simulate --seed 1")
    assert "The code failed at phone after 4 s." in page
    assert "Traceback: line 3" in page


def test_the_same_run_is_drawn_alike_every_time() -> None:
    first, second = (picture.svg(recorded(9)[0]) for _ in range(2))
    assert first == second


def test_everything_that_somebody_did_is_in_the_table() -> None:
    recording, _, page = acted_out("split-brain")
    text = " ".join(parsed(page).itertext())
    done = [moment.facts["action"] for moment in recording.moments if moment.what == "does"]
    assert len(done) == 10
    assert all(what in text for what in done)
    assert "cut for 1 d: laptop, phone | tablet, desktop" in text


def test_thousands_of_frames_share_arrows_and_none_is_forgotten() -> None:
    recording, _, _ = acted_out("agent-storm")
    root = parsed(picture.svg(recording, arrows_max=60))
    titles = [title.text or "" for group in root.iter(f"{SVG}g") for title in group.iter(f"{SVG}title")]
    counts = [int(match[1]) for title in dict.fromkeys(titles) if (match := re.search(r"(\d+) changes$", title))]
    assert len(recording.messages) > 600
    assert 0 < len(counts) <= 30
    assert sum(counts) == sum(message.changes for message in recording.messages)


# --- what is drawn ----------------------------------------------------------------------------------------------------


def drawing(
    *moments: Moment, devices: tuple[str, ...] = ("laptop", "phone", "tablet"), until: float = 100
) -> Recording:
    recording = Recording()
    for name in devices:
        recording.note(0.0, "boot", name, {})
    for moment in moments:
        recording.note(moment.at, moment.what, moment.device, moment.facts)
    recording.note(until, "all equal", "", {})
    return recording


def classes_of(recording: Recording) -> Counter[str]:
    root = parsed(picture.svg(recording))
    return Counter(each.attrib.get("class", "").split(" ")[0] for each in root.iter())


ALONE = [path for other in ("laptop", "tablet") for path in (("phone", other), (other, "phone"))]
BARE = classes_of(drawing())


@pytest.mark.parametrize(
    ("shape", "moments"),
    [
        ("asleep", [Moment(5, "sleep", "phone"), Moment(50, "wake", "phone")]),
        ("down", [Moment(5, "crash", "phone", {"power": True}), Moment(50, "boot", "phone")]),
        ("hard", [Moment(5, "slow", "phone", {"pace": 1.0, "seconds": 30.0})]),
        ("hard", [Moment(5, "disk full", "phone", {"seconds": 30.0})]),
        ("oneway", [Moment(5, "one way", "", {"paths": [("phone", "tablet")], "seconds": 30.0})]),
        ("cut", [Moment(5, "isolated", "", {"paths": ALONE, "seconds": 30.0})]),
        ("bad", [Moment(5, "put back", "phone")]),
        ("bad", [Moment(5, "refused", "phone", {"why": "DiskFullError"})]),
        ("proof", [Moment(5, "equal", "phone", {"peer": "tablet"})]),
        ("edit", [Moment(5, "does", "phone", {"action": "edit task"})]),
        ("up", [Moment(5, "an unheard-of fault", "phone", {"size": 3})]),
        ("heal", [Moment(5, "heal", "")]),
    ],
)
def test_what_happens_has_a_shape(shape: str, moments: list[Moment]) -> None:
    assert classes_of(drawing(*moments))[shape] > BARE[shape]


def test_a_shape_is_explained_only_where_it_is_drawn() -> None:
    slept = drawing(Moment(5, "sleep", "phone"), Moment(50, "wake", "phone"))
    assert "asleep" in "".join(parsed(picture.svg(slept)).itertext())
    assert "asleep" not in "".join(
        text for text in parsed(picture.svg(drawing())).itertext() if not text.startswith(":")
    )


def test_healing_ends_every_spell() -> None:
    cut = Moment(5, "isolated", "", {"paths": [("phone", "laptop")], "seconds": 900.0})
    recording = drawing(cut, Moment(60, "heal", ""))
    assert recording.spells() == [Spell(5, 60, "isolated", "", (("phone", "laptop"),))]


def test_a_moment_of_a_kind_that_nobody_knew_is_said_in_its_own_words() -> None:
    moment = Moment(1, "equivocates", "phone", {"seq": 3})
    assert words.saying(Recording(), moment, {}) == "equivocates seq 3"


@pytest.mark.parametrize(
    ("paths", "sides"),
    [
        ([p for x in "bcd" for p in ((x, "a"), ("a", x))], [["b", "c", "d"], ["a"]]),
        ([(x, y) for x in "abcd" for y in "abcd" if (x in "ab") != (y in "ab")], [["a", "b"], ["c", "d"]]),
        ([("a", "b"), ("b", "a")], [["a", "b", "c", "d"]]),
        ([("a", x) for x in "bcd"], [["a", "b", "c", "d"]]),
    ],
)
def test_cut_paths_part_devices_into_sides(paths: list[tuple[str, str]], sides: list[list[str]]) -> None:
    assert words.sides_of(["a", "b", "c", "d"], tuple(paths)) == sides


def test_labels_of_one_lane_never_lie_upon_each_other() -> None:
    edits = [Moment(at / 2, "does", "phone", {"action": f"renames something {at}"}) for at in range(1, 60)]
    root = parsed(picture.svg(drawing(*edits)))
    spots: dict[str, list[float]] = {}
    for text in root.iter(f"{SVG}text"):
        if (text.text or "").startswith("renames") and text.attrib.get("text-anchor") is None:
            spots.setdefault(text.attrib["y"], []).append(float(text.attrib["x"]))
    assert spots
    apart = [b - a for row in spots.values() for a, b in pairwise(sorted(row))]
    assert all(each > 100 for each in apart), "a label of 19 letters is wider than that"


# --- recordings -------------------------------------------------------------------------------------------------------


def test_a_frame_that_is_none_is_garbage() -> None:
    recording = Recording()
    recording.frame(1.0, 2.0, "liar", "phone", b"\x07nonsense")
    assert recording.messages == [Message(1.0, 2.0, "liar", "phone", "garbage", 0, 9)]
    assert recording.devices == ["liar", "phone"]


def test_lag_is_what_a_device_lacks_and_falls_to_nothing() -> None:
    recording, _, _ = acted_out("island")
    while_away = [lag for at, lag in recording.lag["laptop"] if 60 < at < 7 * 86_400]
    assert while_away == [1, 2, 3]
    assert [steps[-1][1] for steps in recording.lag.values()] == [0, 0, 0]
    assert recording.conflicts[-1][1] == 1


@pytest.mark.parametrize("fault", [isolate, one_way])
def test_a_fault_of_the_catalogue_is_recorded_with_its_duration(fault: Any) -> None:
    def script(sim: Simulation) -> float:
        sim.at(10, lambda: fault(sim, Draws("1")))
        return 20

    profile = Profile(3, "memory", frozenset(), real_keys=False, lawless=0)
    recording = Recording()
    verdict = Simulation(Tape(1), (), (), recorder=recording, script=script, profile=profile).run()
    assert verdict.violation is None
    (spell,) = (spell for spell in recording.spells() if spell.what in CUTS)
    noted = next(moment for moment in recording.moments if moment.what == spell.what)
    assert (spell.start, spell.end) == (10, min(20, 10 + noted.facts["seconds"]))


# --- time -------------------------------------------------------------------------------------------------------------


def test_a_week_is_wider_than_a_second_and_a_few_times_only() -> None:
    scale = Scale([0, 1, 2, 2 + 7 * 86_400], 0, 100)
    second, week = scale(1) - scale(0), scale(2 + 7 * 86_400) - scale(2)
    assert second < week < 10 * second
    assert scale(1) - scale(0) == pytest.approx(scale(2) - scale(1))
    assert (scale(-5), scale(10**9)) == (0, 100)
    assert [(gap.start, gap.end) for gap in scale.gaps()] == [(2, 2 + 7 * 86_400)]


def test_ticks_stay_apart_and_in_order() -> None:
    scale = Scale([number**2 / 7 for number in range(200)], LEFT, RIGHT)
    ticks = scale.ticks(74)
    places = [scale(tick) for tick in ticks]
    assert ticks == sorted(ticks)
    assert all(after - before >= 74 for before, after in pairwise(places))
    assert len(ticks) > 5


def test_nothing_that_happened_is_drawn_all_the_same() -> None:
    assert parsed(picture.svg(Recording())).tag == f"{SVG}svg"


@pytest.mark.parametrize(
    ("seconds", "exact", "roughly"),
    [
        (0.02, "20 ms", "0 s"),
        (12.34, "12.3 s", "12.3 s"),
        (60, "1 min", "1 min"),
        (86_399, "23 h 59 min", "1 d"),
        (7 * 86_400 + 301, "7 d 5 min", "7 d"),
        (2 * 31_536_000, "2 y", "2 y"),
    ],
)
def test_times_are_said_as_people_say_them(seconds: float, exact: str, roughly: str) -> None:
    assert span_of(seconds) == exact
    assert about(seconds) == roughly


def test_what_people_wrote_cannot_break_an_element() -> None:
    made = element("text", 'a < b & "c"', title="<'\">", font_size=3.14159)
    read = ElementTree.fromstring(made)
    assert (read.text, read.attrib) == ('a < b & "c"', {"title": "<'\">", "font-size": "3.1"})


# --- a real browser ---------------------------------------------------------------------------------------------------


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
