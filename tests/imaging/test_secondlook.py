"""The second look reads what the first did not, says nothing that two looks do not agree on, and keeps places."""

from __future__ import annotations

import pytest
import zxingcpp
from PIL import Image, ImageFilter

from dwtsvc.imaging import barcode
from dwtsvc.imaging.secondlook import LOOKS, read_again, shrunk
from dwtsvc.model import Barcode


def small_and_blurred(blur: float = 0.95, text: str = "9780201379624") -> Image.Image:
    """An EAN-13 with bars of 1.6 pixels, out of focus and of low contrast."""
    pixels = memoryview(zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.EAN13).to_image(scale=8))
    code = Image.frombytes("L", (pixels.shape[1], pixels.shape[0]), pixels.tobytes())
    code = code.resize((code.width // 5, code.height // 5), Image.Resampling.BOX)
    photo = Image.new("L", (code.width + 80, code.height + 60), 255)
    photo.paste(code, (40, 30))
    return photo.filter(ImageFilter.GaussianBlur(blur)).point([90 + level * 120 // 255 for level in range(256)])


def code(text: str, type: str = "ean13", at: int = 30) -> Barcode:
    corners = ((at, at), (2 * at, at), (2 * at, 2 * at), (at, 2 * at))
    return Barcode(text=text, bytes=text.encode(), type=type, corners=corners, angle=0, engine="zxing")


def test_both_reads_what_neither_engine_reads() -> None:
    photo = small_and_blurred()
    assert barcode.read(photo, engine="zxing") == barcode.read(photo, engine="zbar") == []
    (found,) = barcode.read(photo, engine="both")
    assert (found.text, found.type) == ("9780201379624", "ean13")
    assert all(0 <= x <= photo.width and 0 <= y <= photo.height for x, y in found.corners)


def test_on_a_large_page_the_places_with_bars_are_looked_at() -> None:
    page = Image.new("L", (1700, 2300), 210)
    photo = small_and_blurred()
    photo = photo.resize((2 * photo.width, 2 * photo.height), Image.Resampling.BICUBIC)
    page.paste(photo, (900, 1500))
    assert barcode.read(page, engine="zxing") == []
    (found,) = barcode.read(page, engine="both")
    assert found.text == "9780201379624"
    assert all(900 <= x <= 900 + photo.width and 1500 <= y <= 1500 + photo.height for x, y in found.corners)


def test_bars_need_two_looks_that_agree_and_matrix_codes_one() -> None:
    asked: list[str] = []

    def each_time_another(image: Image.Image, binarizer: str) -> list[Barcode]:
        asked.append(binarizer)
        return [code(str(len(asked)))]

    gray = Image.new("L", (90, 90), 128)
    assert read_again(gray, each_time_another) == [] and len(asked) == len(LOOKS)
    assert [found.text for found in read_again(gray, lambda *_: [code("7")])] == ["7"]
    seen: list[int] = []
    assert read_again(gray, lambda *_: seen.append(1) or [code("7", "qr")])[0].text == "7"  # type: ignore[func-returns-value]
    assert len(seen) == 1


def test_two_binarizers_on_one_picture_are_one_look() -> None:
    """The last look is the fourth's picture: what only these two read does not count."""
    assert LOOKS[3][:-1] == LOOKS[-1][:-1]
    count = iter(range(len(LOOKS)))
    found = read_again(Image.new("L", (90, 90), 128), lambda *_: [code("7")] if next(count) in (3, 8) else [])
    assert found == []


def test_corners_are_those_of_the_picture_itself() -> None:
    assert shrunk(code("1", at=30), 3).corners == ((10, 10), (20, 10), (20, 20), (10, 20))


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (300, 200)])
def test_an_empty_picture_has_nothing(size: tuple[int, int]) -> None:
    assert barcode.read(Image.new("L", size, 200), engine="both") == []


def add_on(with_it: bool) -> Image.Image:
    """An EAN-13 with the add-on 12, drawn: a start of 1011, and digits as G and L by the number's remainder by 4."""
    left = {"1": "0011001", "2": "0010011"}
    pixels = memoryview(zxingcpp.create_barcode("9780201379624", zxingcpp.BarcodeFormat.EAN13).to_image(scale=3))
    page = Image.new("L", (pixels.shape[1] + 200, pixels.shape[0] + 60), 255)
    page.paste(Image.frombytes("L", (pixels.shape[1], pixels.shape[0]), pixels.tobytes()), (30, 30))
    bars = "1011" + left["1"] + "01" + left["2"]  # 12 leaves 0: both digits are L
    if with_it:
        start = 30 + pixels.shape[1] - 6
        for at, module in enumerate(bars):
            if module == "1":
                page.paste(0, (start + 3 * at, 45, start + 3 * at + 3, 30 + pixels.shape[0] - 30))
    return page


def test_both_puts_the_add_on_behind_the_number_and_auto_does_not() -> None:
    assert [found.text for found in barcode.read(add_on(True), engine="both")] == ["978020137962412"]
    assert [found.text for found in barcode.read(add_on(True))] == ["9780201379624"]
    assert [found.text for found in barcode.read(add_on(False), engine="both")] == ["9780201379624"]
