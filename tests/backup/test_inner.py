"""Inner objects: what an index or an image names is found, and each of these is read once."""

from __future__ import annotations

import msgspec

from edda_sync.backup import image as images
from edda_sync.backup.inner import Inner
from edda_sync.backup.manifest import Imaged, Ref, ext_of
from edda_sync.backup.sealed import Kind
from edda_sync.testing import devices
from tests.backup.places import Place, repository_of
from tests.backup.test_image import IMAGE
from tests.backup.test_manifest import MANIFEST


class Counting(Place):
    """A target that counts what is read."""

    gets = 0

    def get(self, key: str) -> bytes:
        self.gets += 1
        return super().get(key)


def test_what_an_index_and_an_image_name_is_found_and_each_is_read_once() -> None:
    place, pack = Counting(), Ref(b"q" * 32, 70)
    with devices(1, backend="memory") as (laptop,):
        repository = repository_of(laptop, place)
        index = repository.put(Kind.INDEX, msgspec.msgpack.encode([(pack, [b"n" * 32])]))
        image = repository.put(Kind.IMAGE, images.encode(IMAGE))
        backup = msgspec.structs.replace(MANIFEST, packs=(index,), ext=ext_of(Imaged(image, 1, 950), encrypted=False))
        assert backup.total_bytes == sum(each.size for each in (*MANIFEST.runs, index, image)) + 950
        assert backup.objects == (*MANIFEST.runs, index, image)
        inner = Inner(repository)
        for _ in range(3):
            assert list(inner.of(backup)) == [pack, *IMAGE.pages]
        assert place.gets == 2
        assert list(inner.of(msgspec.structs.replace(MANIFEST, packs=()))) == []
