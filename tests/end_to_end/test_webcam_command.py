"""`dwtsvc scan` with a camera: a still through FFmpeg's virtual camera becomes a straightened PDF page."""

from __future__ import annotations

import json

import pikepdf
import pytest

from tests.end_to_end.conftest import Place
from tests.imaging.test_document import DESKS, VIEWS, photo, sheet


def size_mm(pdf: pikepdf.Pdf) -> list[float]:
    return [float(side) / 72 * 25.4 for side in list(pdf.pages[0].mediabox)[2:]]


@pytest.mark.parametrize("how", [("--parts", "document"), ("--option", "document=1")], ids=" ".join)
def test_a_still_of_a_sheet_becomes_a_straight_page_of_a4(place: Place, how: tuple[str, str]) -> None:
    photo(sheet(), VIEWS["turned"], desk=DESKS["wood"], size=(1800, 1350)).save(place / "desk.png")
    camera = f"webcam:lavfi:movie={place.folder}/desk.png"
    assert place.run("scan", "-d", camera, *how, "-o", "page.pdf").code == 0
    with pikepdf.open(place / "page.pdf") as pdf:
        assert len(pdf.pages) == 1
        assert size_mm(pdf) == pytest.approx([210, 297], abs=1.5)
        (image,) = pdf.pages[0].get_images().values()
        page = pikepdf.PdfImage(image).as_pil_image().convert("RGB").resize((210, 297))
    red, blue = page.getpixel((10, 10)), page.getpixel((199, 286))
    assert red[0] > 120 and max(red[1:]) < 90  # type: ignore[index]
    assert blue[2] > 90 and max(blue[:2]) < 80  # type: ignore[index]


def test_the_straightened_page_can_be_had_as_the_camera_saw_it(place: Place) -> None:
    assert place.run("scan", "-d", "webcam:virtual", "--parts", "document", "-o", "page.png").code == 0
    assert place.run("scan", "--undo", "-o", "whole.png").code == 0
    from PIL import Image

    with Image.open(place / "whole.png") as whole:
        assert whole.size == (1600, 1200)


def test_a_camera_is_not_scanned_with_unless_it_is_named(place: Place) -> None:
    listed = place.run("devices", "--json", DWTSVC_WEBCAMS="virtual")
    assert "webcam:virtual" in [each["id"] for each in json.loads(listed.out)["devices"]]
    done = place.run("scan", "--or-virtual", "-o", "a.pdf", "-r", "50", DWTSVC_WEBCAMS="virtual", SANE_CONFIG_DIR="/")
    assert done.code == 0
    assert "virtual:" in done.err and "webcam" not in done.err


def test_a_recorded_camera_plays_without_one(place: Place) -> None:
    assert place.run("scan", "-d", "webcam:virtual", "--record", "c.dwt", "-o", "live.png").code == 0
    assert place.run("scan", "-d", "replay:c.dwt", "-o", "played.png").code == 0
    assert (place / "live.png").read_bytes() == (place / "played.png").read_bytes()
