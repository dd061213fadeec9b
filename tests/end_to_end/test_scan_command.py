"""`dwtsvc scan` as installed: every format, names, pipes, JSON, and and refusals with their exit codes."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from tests.end_to_end.conftest import DWTSVC, Place
from tests.sane.conftest import Faulty
from tests.sane.rig import expected_rows

LOW = ("-d", "test:0", "-r", "50", "--option", "test-picture=Grid")

pytestmark = pytest.mark.usefixtures("sane_test")


def pdf_pages(path: Path) -> int:
    subprocess.run(["qpdf", "--check", str(path)], check=True, capture_output=True)
    return int(subprocess.run(["qpdf", "--show-npages", str(path)], check=True, capture_output=True).stdout)


def test_a_feeder_is_scanned_until_it_is_empty_into_one_pdf(place: Place) -> None:
    ran = place.run("scan", *LOW, "-o", "all.pdf")
    assert (ran.code, ran.lines) == (0, ["all.pdf"])
    assert pdf_pages(place / "all.pdf") == 10
    assert place.files() == ["all.pdf"]
    assert "10 pages" in ran.err


def test_without_any_option_but_a_name_the_first_scanner_is_used(place: Place) -> None:
    assert place.run("scan", "-o", "a.pdf", "-q", "-n", "1").code == 0
    assert pdf_pages(place / "a.pdf") == 1


def test_numbered_files_get_their_numbers(place: Place) -> None:
    ran = place.run("scan", *LOW, "-o", "page-{n:03}.jpg")
    assert ran.lines == [f"page-{n:03}.jpg" for n in range(1, 11)]
    assert place.files() == ran.lines
    with Image.open(place / "page-010.jpg") as image:
        assert (image.format, image.mode, image.info["dpi"]) == ("JPEG", "RGB", (50, 50))


def test_a_number_in_the_name_of_a_document_makes_a_document_of_each_page(place: Place) -> None:
    whole = place.run("scan", *LOW, "-n", "3", "--mode", "lineart", "-o", "whole.tif")
    assert whole.lines == ["whole.tif"]
    ran = place.run("scan", *LOW, "-n", "3", "-o", "x-{n}.pdf", "--json")
    assert [event["files"] for event in ran.events if event["event"] == "page"] == [[f"x-{n}.pdf"] for n in (1, 2, 3)]
    assert [pdf_pages(place / f"x-{n}.pdf") for n in (1, 2, 3)] == [1, 1, 1]
    assert place.run("scan", *LOW, "-n", "3", "--mode", "lineart", "-o", "x-{n:02}.tif").code == 0
    with Image.open(place / "whole.tif") as document:
        for number in (1, 2, 3):
            document.seek(number - 1)
            with Image.open(place / f"x-{number:02}.tif") as page:
                assert (page.n_frames, page.info["compression"]) == (1, "group4")
                assert page.tobytes() == document.tobytes()


def test_the_glass_gives_one_page_or_as_many_as_asked(place: Place) -> None:
    place.run("scan", *LOW, "--source", "flatbed", "-o", "one.pdf")
    place.run("scan", *LOW, "--source", "flatbed", "-n", "13", "-o", "more.pdf")
    assert (pdf_pages(place / "one.pdf"), pdf_pages(place / "more.pdf")) == (1, 13)


def test_a_multi_page_tiff(place: Place) -> None:
    assert place.run("scan", *LOW, "--mode", "lineart", "-o", "fax.tiff").code == 0
    with Image.open(place / "fax.tiff") as image:
        assert (image.n_frames, image.mode, image.info["compression"]) == (10, "1", "group4")


@pytest.mark.parametrize("compression", ["none", "lzw", "deflate", "jpeg"])
def test_tiff_compressions(compression: str, place: Place) -> None:
    assert place.run("scan", *LOW, "-n", "2", "--tiff-compression", compression, "-o", "a.tif").code == 0
    names = {"none": "raw", "lzw": "tiff_lzw", "deflate": "tiff_adobe_deflate", "jpeg": "jpeg"}
    with Image.open(place / "a.tif") as image:
        assert image.n_frames == 2
        assert image.info["compression"] == names[compression]


@pytest.mark.parametrize(
    ("name", "kind", "mode"),
    [("a.png", "PNG", "RGB"), ("a.bmp", "BMP", "RGB"), ("a.webp", "WEBP", "RGB"), ("a.jpeg", "JPEG", "RGB")],
)
def test_image_formats(name: str, kind: str, mode: str, place: Place) -> None:
    assert place.run("scan", *LOW, "--source", "flatbed", "-o", name).code == 0
    with Image.open(place / name) as image:
        assert (image.format, image.mode) == (kind, mode)


@pytest.mark.parametrize(("mode", "made"), [("color", "RGB"), ("gray", "L"), ("lineart", "1"), ("auto", "1")])
def test_modes(mode: str, made: str, place: Place) -> None:
    assert place.run("scan", *LOW, "--mode", mode, "-n", "1", "-o", "a.png").code == 0
    with Image.open(place / "a.png") as image:
        assert image.mode == made  # the grid is black and white, which auto finds out


def test_a_device_without_lineart_is_thresholded(place: Place, faulty: Faulty) -> None:
    faulty(pages=1)
    assert place.run("scan", "-d", "dwtfault:adf", "-r", "75", "--mode", "lineart", "-o", "a.png").code == 0
    with Image.open(place / "a.png") as image:
        assert image.mode == "1"


def test_a_page_to_a_pipe_is_nothing_but_the_page(place: Place) -> None:
    ran = place.run("scan", *LOW, "-o", "-", "--format", "png", "--verbose")
    with Image.open(io.BytesIO(ran.out)) as image:
        assert image.format == "PNG"
    assert place.run("scan", *LOW, "-o", "-").out.startswith(b"%PDF-")
    assert place.run("scan", *LOW, "-o", "-", "--format", "tiff").out.startswith(b"II")
    assert place.files() == []


def test_a_pipe_whose_reader_left_is_told(place: Place) -> None:
    command = f"{DWTSVC} scan -d test:0 -r 300 -o - --quiet | head -c 10 >/dev/null; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=place.folder, capture_output=True, timeout=60)
    assert done.returncode == 5
    assert b"Standard output cannot be written" in done.stderr


def test_json_has_a_line_for_each_page_and_one_at_the_end(place: Place) -> None:
    ran = place.run("scan", *LOW, "-n", "2", "-o", "p{n}.png", "--json")
    first, second, done = ran.events
    assert (first["event"], first["page"], first["width"], first["files"]) == ("page", 1, 413, ["p1.png"])
    assert second["files"] == ["p2.png"]
    assert (done["event"], done["pages"], done["files"]) == ("done", 2, ["p1.png", "p2.png"])
    assert ran.err == ""


def test_a_failure_in_json_has_its_word_code_and_kept_pages(place: Place, faulty: Faulty) -> None:
    faulty(pages=6, action="status", status=6, fail_at=4)
    ran = place.run("scan", "-d", "dwtfault:adf", "-r", "75", "--source", "feeder", "-o", "a.pdf", "--json")
    *pages, kept, error = ran.events
    assert [page["page"] for page in pages] == [1, 2, 3]
    assert (kept["event"], kept["pages"]) == ("kept", 3)
    assert (error["error"], error["code"], ran.code) == ("paper-jam", 23, 23)
    assert error["hint"]


def test_quiet_says_nothing_and_verbose_says_more(place: Place) -> None:
    ran = place.run("scan", *LOW, "-n", "1", "-o", "a.pdf", "-q")
    assert (ran.out, ran.err) == (b"", "")
    assert "413 x 584 pixels" in place.run("scan", *LOW, "-n", "1", "-o", "b.pdf", "-v").err


def test_a_dry_run_moves_no_paper_and_writes_nothing(place: Place) -> None:
    ran = place.run("scan", *LOW, "--size", "a5", "-o", "a.pdf", "--dry-run", "--json")
    (told,) = ran.events
    assert (told["device"], told["resolution"], told["format"]) == ("test:0", 50, "pdf")
    assert told["area"] == "148 x 210 mm at 0, 0"
    assert place.files() == []


def test_an_existing_file_is_kept_unless_forced(place: Place) -> None:
    (place / "a.pdf").write_text("precious")
    ran = place.run("scan", *LOW, "-n", "1", "-o", "a.pdf")
    assert ran.code == 5
    assert "a.pdf exists" in ran.err
    assert (place / "a.pdf").read_text() == "precious"
    assert place.run("scan", *LOW, "-n", "1", "-o", "a.pdf", "--force").code == 0
    assert pdf_pages(place / "a.pdf") == 1


def test_the_next_free_name_is_taken_and_printed(place: Place) -> None:
    names = [place.run("scan", *LOW, "-n", "1", "-o", "a.pdf", "--next-free").lines for _ in range(3)]
    assert names == [["a.pdf"], ["a-2.pdf"], ["a-3.pdf"]]
    assert place.run("scan", *LOW, "-n", "1").lines == ["scan.pdf"]
    assert place.run("scan", *LOW, "-n", "1").lines == ["scan-2.pdf"]


def test_size_and_area_cut_the_page(place: Place) -> None:
    for option, value in (("--size", "100x50mm"), ("--area", "10,20,100,50")):
        place.run("scan", *LOW, option, value, "-n", "1", "-o", f"{option[2:]}.png")
    for name in ("size.png", "area.png"):
        with Image.open(place / name) as image:
            assert image.size == (196, 98)  # the backend cuts 196.85 off


def test_a_profile_is_taken_and_options_win_over_it(place: Place) -> None:
    place.run("config", "profile", "save", "fax", "device=test:1", "resolution=50", "mode=lineart", "pages=1")
    assert place.run("scan", "-p", "fax", "-o", "a.png").code == 0
    assert place.run("scan", "-p", "fax", "--mode", "gray", "-o", "b.png").code == 0
    with Image.open(place / "a.png") as first, Image.open(place / "b.png") as second:
        assert (first.mode, second.mode) == ("1", "L")
    ran = place.run("scan", "-p", "nope", "-o", "c.png")
    assert (ran.code, "fax" in ran.err) == (2, True)


def test_sixteen_bits_reach_a_png(place: Place) -> None:
    for mode, bits in (("gray", b"\x10\x00"), ("color", b"\x10\x02")):
        name = f"{mode}.png"
        assert place.run("scan", *LOW, "--mode", mode, "--option", "depth=16", "-n", "1", "-o", name).code == 0
        assert (place / name).read_bytes()[24:26] == bits  # depth and colour type in the header


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--mode", "pink"], 2, "color, gray, lineart, auto"),
        (["--source", "tray"], 2, "auto, flatbed, feeder, duplex"),
        (["--source", "duplex"], 2, "auto, feeder, flatbed"),
        (["-r", "4711"], 2, "50..1200"),
        (["--size", "a99"], 2, "a4"),
        (["--size", "600x600mm"], 2, "500 x 500 mm"),
        (["--size", "a4", "--area", "0,0,1,1"], 2, "exclude"),
        (["--quality", "0"], 2, "1 to 100"),
        (["--option", "nonsense"], 2, "NAME=VALUE"),
        (["--option", "nonsense=1"], 2, "test-picture"),
        (["--option", "test-picture=Mona Lisa"], 2, "Color pattern"),
        (["-o", "a.docx"], 2, ".pdf"),
        (["-o", "{secret}.pdf"], 2, "{n"),
        (["-n", "0"], 2, "not in the range x>=1"),
        (["-o", "-", "--format", "png", "-n", "2"], 2, "one png page"),
        (["--no-such-option"], 2, "No such option"),
        (["-d", "test:99"], 20, "dwtsvc devices"),
        (["-o", "missing/a.pdf"], 5, "no folder missing"),
        (["--recover"], 1, "No scan has left pages"),
        (["--option", "read-return-value=SANE_STATUS_COVER_OPEN"], 24, "Close it"),
        (["--option", "read-return-value=SANE_STATUS_JAMMED"], 23, "Document feeder jammed"),
        (["--option", "read-return-value=SANE_STATUS_ACCESS_DENIED"], 28, "scanner"),
        (["--option", "read-return-value=SANE_STATUS_IO_ERROR"], 29, "Error during device I/O"),
        (["--manual-duplex"], 2, "--wait-paper"),
        (["--json", "-o", "-"], 2, "exclude each other"),
    ],
)
def test_a_refusal_says_what_is_allowed_and_leaves_nothing(
    arguments: list[str], code: int, words: str, place: Place
) -> None:
    given = ["-d", "test:0", *([] if "-r" in arguments else ["-r", "50"])]
    ran = place.run("scan", *given, *([] if "-o" in arguments else ["-o", "a.pdf"]), *arguments)
    assert (ran.code, words in ran.err + ran.out.decode()) == (code, True), ran.err
    assert "Traceback" not in ran.err
    assert place.files() == []


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"open_status": 3}, 21),
        ({"open_status": 11}, 28),
        ({"pages": 0}, 22),
        ({"action": "segv", "fail_at": 1}, 26),
        ({"action": "short", "fail_at": 1}, 30),
    ],
)
def test_faults_of_the_scanner_have_their_exit_codes(
    settings: dict[str, object], code: int, place: Place, faulty: Faulty
) -> None:
    faulty(**settings)
    ran = place.run("scan", "-d", "dwtfault:adf", "--source", "feeder", "-r", "75", "-o", "a.pdf")
    assert ran.code == code, ran.err
    assert place.files() == []


def test_a_scanner_that_hangs_is_given_up_after_the_set_time(place: Place, faulty: Faulty) -> None:
    faulty(pages=3, action="hang", fail_at=3)
    arguments = ("scan", "-d", "dwtfault:adf", "--source", "feeder", "-r", "75", "-o", "p{n}.png")
    ran = place.run(*arguments, DWTSVC_SCANNER_TIMEOUT="8")  # of a busy machine the first page takes some, too
    assert ran.code == 27
    assert place.files() == ["p1.png", "p2.png"]


def test_a_bad_configuration_names_file_line_and_key(place: Place) -> None:
    folder = place.home / "config"
    folder.mkdir(parents=True)
    (folder / "DSConfiguration.ini").write_text("[dwtsvc]\n\nqualitty = 80\n")
    ran = place.run("scan", *LOW, "-o", "a.pdf")
    assert ran.code == 9
    assert "DSConfiguration.ini:3" in ran.err
    assert "qualitty" in ran.err


def test_a_jam_at_page_seven_keeps_six_that_can_be_written(place: Place, faulty: Faulty) -> None:
    faulty(pages=10, action="status", status=6, fail_at=7)
    arguments = ("scan", "-d", "dwtfault:adf", "--source", "feeder", "-r", "75", "--mode", "gray")
    ran = place.run(*arguments, "-o", "a.tiff")
    assert ran.code == 23
    assert "6 pages are kept" in ran.err
    assert place.files() == []
    (told,) = place.run("scan", "--recover", "--dry-run", "--json").events
    assert told["pages"] == 6
    assert place.run("scan", "--recover", "-o", "rescued.tiff").code == 0
    with Image.open(place / "rescued.tiff") as image:
        assert image.n_frames == 6
        for number in range(6):
            image.seek(number)
            rows = expected_rows(number + 1, image.width, image.height, "Gray")
            assert image.tobytes() == rows
    assert place.run("scan", "--recover", "-o", "again.tiff").code == 1


def test_pages_of_a_feeder_keep_their_order_and_pixels(place: Place, faulty: Faulty) -> None:
    faulty(pages=6)
    arguments = ("scan", "-d", "dwtfault:adf", "--source", "duplex", "-r", "75", "--mode", "color", "-o", "p{n}.png")
    ran = place.run(*arguments, "--json")
    assert [event["back"] for event in ran.events[:-1]] == [False, True] * 3
    for number in range(1, 7):
        with Image.open(place / f"p{number}.png") as image:
            assert image.tobytes() == expected_rows(number, image.width, image.height, "Color")


def test_devices_lists_the_scanners(place: Place) -> None:
    (told,) = place.run("devices", "--json").events
    assert {"sane:test:0", "sane:test:1", "sane:test:2", "virtual:adf"} <= {device["id"] for device in told["devices"]}
    assert "sane:test:0" in place.run("devices").out.decode()


def test_capabilities_of_a_device(place: Place) -> None:
    (told,) = place.run("devices", "--capabilities", "test:0", "--json").events
    assert [source["source"] for source in told["sources"]] == ["flatbed", "feeder"]
    assert "test-picture" in place.run("devices", "-c", "test:0").out.decode()
    assert place.run("devices", "-c", "test:77").code == 20


def test_version_and_exit_codes(place: Place) -> None:
    from dwtsvc.errors import exit_codes
    from dwtsvc.version import __version__

    assert place.run("--version").lines == [f"dwtsvc {__version__}"]
    listed = [line.split(maxsplit=1) for line in place.run("--exit-codes").lines]
    assert [(int(code), meaning) for code, meaning in listed] == exit_codes()


def test_the_help_of_the_commands_is_their_first_line(place: Place) -> None:
    from dwtsvc_cli.main import COMMANDS

    for name, summary in COMMANDS.items():
        assert summary in place.run(name, "--help").out.decode()


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["scan", "--help"]])
def test_nothing_heavy_is_imported_to_say_little(arguments: list[str], place: Place) -> None:
    program = (
        "import sys; sys.argv[1:] = " + repr(arguments) + "\n"
        "from dwtsvc_cli.main import main, run\n"
        "main() if sys.argv[1:] == ['--version'] else run(sys.argv[1:])\n"
        "heavy = ['PIL', 'numpy', 'rich', 'pydantic', 'simplejpeg', 'pypdfium2', 'dwtsvc.jobs', 'dwtsvc.config']\n"
        "heavy += ['typer'] if sys.argv[1:] == ['--version'] else []\n"
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)"
    )
    import sys

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert done.stderr.strip() == "[]"
