from __future__ import annotations

from typing import Any


def names(edda: Any) -> list[str]:
    return [each["name"] for each in edda.json("devices")]


def test_the_first_device_is_renamed(edda: Any) -> None:
    assert edda("devices", "rename", "desk").stderr == "Renamed laptop to desk.\n"
    assert names(edda) == ["desk"]
    assert edda("devices", "rename", "desk").stderr == "The device is called desk already.\n"
    assert edda.json("status")["name"] == "desk"


def test_a_device_is_meant_by_its_name_or_the_beginning_of_its_id(edda: Any) -> None:
    (device,) = edda.json("devices")
    edda("devices", "rename", "laptop", "one")
    edda("devices", "rename", device["device"][:8], "two")
    assert names(edda) == ["two"]
    assert "no device" in edda("devices", "rename", "nope", "three", code=3).stderr
    assert edda("devices", "rename", "two", " ", code=2).stdout == ""


def test_a_rename_reaches_the_other_devices_and_two_of_one_name_are_refused(pair: Any) -> None:
    laptop, phone = pair
    phone.run("devices", "rename", "laptop", "desk")
    assert "There is a device called desk already" in phone.run("devices", "rename", "desk", code=2)
    running, address = laptop.up("--no-discovery")
    phone.run("sync", "--at", address)
    assert names(laptop) == names(phone) == ["desk", "phone"]
    assert laptop.json("status")["name"] == "desk", "a running device goes by its new name"
    laptop.run("devices", "rename", "table")
    phone.run("sync", "--at", address)
    assert names(laptop) == names(phone) == ["phone", "table"]
    running.end()


def test_init_with_another_name_on_a_store_says_what_renames_it(edda: Any) -> None:
    said = edda("init", "--name", "desk", code=2).stderr
    assert 'its device is called "laptop"' in said
    assert "`edda devices rename NAME`" in said
    edda("init", "--name", "laptop")
    assert names(edda) == ["laptop"]
