"""A page gets the steps it needs, written out, and the same steps on the same scan give the same page."""

from __future__ import annotations

import os
import pickle
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image, ImageChops, ImageDraw

from dwtsvc.devices import documents
from dwtsvc.errors import BadArguments
from dwtsvc.imaging.cleaning import Cleaning, cleaned, steps
from dwtsvc.imaging.edit import apply, apply_all, size_after
from dwtsvc.imaging.judge import skew
from dwtsvc.model import Step

EVERYTHING = Cleaning(
    deskew=True,
    crop="paper",
    despeckle=True,
    whiten=True,
    edges=True,
    holes=True,
    mode="auto",
    threshold="sauvola",
    dropout="red",
    brightness=5,
    contrast=5,
    gamma=1.1,
)
NEEDS = replace(EVERYTHING, dropout="", brightness=0, contrast=0, gamma=1.0, mode="keep")
ORDER = [
    "extract",
    "deskew",
    "edges",
    "holes",
    "dropout",
    "whiten",
    "despeckle",
    "brightness",
    "contrast",
    "gamma",
    "threshold",
]
DPI = 150
REAL = Path(os.environ.get("DWTSVC_CORPUS", "")) / "pages"


def clean_page() -> Image.Image:
    return documents.sheet("letter", 7, DPI).image.convert("RGB")


@pytest.fixture(scope="module")
def dirty() -> Image.Image:
    """A letter on yellowed paper with two holes, dust and a turn in itself, askew on a black lid."""
    page = ImageChops.multiply(clean_page(), Image.new("RGB", clean_page().size, (244, 234, 208)))
    page = page.rotate(1, Image.Resampling.BICUBIC, fillcolor=(244, 234, 208))
    dice, draw = random.Random(2), ImageDraw.Draw(page)
    for y in (page.height // 2 - 236, page.height // 2 + 236):
        draw.ellipse((53, y - 17, 87, y + 17), fill=(20, 20, 20))
    for row in range(60):
        x, y = dice.randrange(12, 45), 28 * row + 20
        draw.point((x, y), fill=(40, 40, 40))
    glass = Image.new("RGB", (page.width + 200, page.height + 200), (18, 18, 18))
    mask = Image.new("L", page.size, 255).rotate(-2, Image.Resampling.BICUBIC, expand=True)
    glass.paste(page.rotate(-2, Image.Resampling.BICUBIC, expand=True), (60, 60), mask)
    return glass


def test_a_dirty_page_gets_what_it_needs_in_the_documented_order(dirty):
    found = [step.name for step in steps(dirty, DPI, EVERYTHING)]
    assert [name for name in found if name != "edges"] == [name for name in ORDER if name != "edges"]


def test_the_clean_page_is_that_of_the_steps_every_time(dirty):
    page, found = cleaned(dirty, DPI, EVERYTHING)
    for _ in range(2):
        again, dpi = apply_all(pickle.loads(pickle.dumps(found)), dirty, DPI)
        assert (again.tobytes(), again.size, dpi) == (page.tobytes(), page.size, DPI)
    assert size_after(found, *dirty.size, DPI) == (*page.size, DPI)
    assert steps(dirty, DPI, EVERYTHING) == found


def test_a_cleaned_page_is_straight_white_and_of_its_own_size(dirty):
    page, _ = cleaned(dirty, DPI, NEEDS)
    assert page.size == pytest.approx(clean_page().size, abs=8) and abs(skew(page)) < 0.15
    tones = page.convert("L").histogram()
    assert sum(tones[250:]) / sum(tones) > 0.85
    left = page.crop((20, 200, 100, page.height - 200)).convert("L")  # where the holes were
    assert left.getextrema()[0] > 128


def test_a_clean_page_needs_nothing():
    assert steps(clean_page(), DPI, NEEDS) == ()


def test_what_is_off_is_not_done(dirty):
    assert steps(dirty, DPI, Cleaning()) == ()
    assert [step.name for step in steps(dirty, DPI, Cleaning(deskew=True))] == ["deskew"]


def test_content_is_cut_out_with_a_margin():
    page = Image.new("L", (1240, 1754), 255)
    ImageDraw.Draw(page).text((300, 400), "all that is on this page", 0, font_size=40)
    (crop,) = steps(page, DPI, Cleaning(crop="content"))
    assert crop.values["left"] == pytest.approx(300 - 30, abs=6) and crop.values["height"] < 140


@pytest.mark.parametrize(
    ("mode", "page", "names"),
    [
        ("auto", "letter", ["threshold"]),
        ("auto", "photo", []),
        ("gray", "photo", ["gray"]),
        ("lineart", "photo", ["threshold"]),
        ("keep", "letter", []),
    ],
)
def test_a_page_gets_the_mode_it_needs(mode, page, names):
    image = documents.sheet(page, 7, DPI).image.convert("RGB")
    image = image.convert("L").convert("RGB") if page == "letter" else image
    assert [step.name for step in steps(image, DPI, Cleaning(mode=mode))] == names


def test_a_colour_that_is_none_is_refused():
    with pytest.raises(BadArguments, match="dropout"):
        steps(clean_page(), DPI, Cleaning(dropout="mauve"))


@given(
    size=some.tuples(some.integers(1, 60), some.integers(1, 60)) | some.sampled_from([(1, 1), (400, 1), (1, 400)]),
    mode=some.sampled_from(["1", "L", "I;16", "RGB", "P", "RGBA", "CMYK"]),
    tone=some.sampled_from(["black", "white", "noise"]),
    dpi=some.sampled_from([0, 10, 300, 19_000]),
    crop=some.sampled_from(["none", "paper", "content"]),
    seed=some.integers(0, 5),
)
@settings(max_examples=120, deadline=None)
def test_no_page_is_too_odd_to_be_cleaned(size, mode, tone, dpi, crop, seed):
    data = random.Random(seed).randbytes(3 * size[0] * size[1])
    image = Image.frombytes("RGB", size, data) if tone == "noise" else Image.new("RGB", size, tone)
    image = (
        image.convert("L").convert("I").point(lambda level: level * 257).convert("I;16") if mode == "I;16" else image
    )
    image = image if mode == "I;16" else image.convert(mode)
    page, found = cleaned(image, dpi, replace(EVERYTHING, crop=crop))
    assert apply_all(found, image, dpi)[0].tobytes() == page.tobytes()


@pytest.mark.skipif(not REAL.is_dir(), reason="real pages are not here")
@pytest.mark.parametrize("name", ["typescript-300dpi-1.jpg", "typescript-180dpi-2.jpg", "phototest.tif", "feyn-g4.tif"])
def test_real_pages_are_cleaned_and_their_print_stays(name):
    with Image.open(REAL / name) as image:
        image.load()
    page, found = cleaned(image, 0, replace(NEEDS, crop="none"))
    assert apply_all(found, image, 0)[0].tobytes() == page.tobytes()
    before, after = (ink(each) for each in (image, page))
    assert 0.6 < after / before < 1.4


def ink(image: Image.Image) -> int:
    """Inside the page, where no edge is filled."""
    values = {"left": 15, "top": 10, "width": 75, "height": 80, "unit": "percent"}
    inside = apply(Step(name="crop", values=values), image)
    return apply(Step(name="threshold"), inside).histogram()[0]
