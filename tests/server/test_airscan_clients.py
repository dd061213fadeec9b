"""What clients that cannot run here ask of the AirScan face, in their order, and what they demand of its answers.

Each scene is written after the client's published source, or after reports of what it sends. A scene is not the client:
it shows that the client would not stumble over what is known of it, and no more.
"""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit
from uuid import UUID
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import httpx
import pytest
from PIL import Image

from dwtsvc.devices.ways import share_id
from dwtsvc.esclxml import JPEG
from dwtsvc.esclxml.writing import PWG, SCAN
from dwtsvc.paths import Paths
from tests.server.sharing import Shared, sharing

SPACES = {"scan": SCAN, "pwg": PWG}
ROOT = f'<scan:ScanSettings xmlns:scan="{SCAN}" xmlns:pwg="{PWG}">'
DECLARED = '<?xml version="1.0" encoding="utf-8"?>\n'
UNITS = "<pwg:ContentRegionUnits>escl:ThreeHundredthsOfInches</pwg:ContentRegionUnits>"
OFFSETS = "<pwg:XOffset>0</pwg:XOffset><pwg:YOffset>0</pwg:YOffset>"
FEEDER = "<pwg:InputSource>Feeder</pwg:InputSource>"
DPI = "<scan:XResolution>75</scan:XResolution><scan:YResolution>75</scan:YResolution>"
COLOUR = "<scan:ColorMode>RGB24</scan:ColorMode>"
SIZE = (300, 375)  # pixels of the area that all order, at 75 dpi
Scene = Callable[[Shared, str], list[bytes]]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """A feeder of its own for each scene, so that none waits for paper."""
    feeders = [f"virtual:adf?pages=3&seed={number}" for number, _ in enumerate(SCENES, start=1)]
    with sharing(tmp_path_factory.mktemp("clients") / "home", *feeders) as made:
        yield made


def settings(*parts: str) -> bytes:
    return (DECLARED + ROOT + "".join(parts) + "</scan:ScanSettings>").encode()


def region(*parts: str, honor: str = "true") -> str:
    inside = "".join(parts)
    return f'<pwg:ScanRegions pwg:MustHonor="{honor}"><pwg:ScanRegion>{inside}</pwg:ScanRegion></pwg:ScanRegions>'


WIDTH, HEIGHT = "<pwg:Width>1200</pwg:Width>", "<pwg:Height>1500</pwg:Height>"


def tree(answer: httpx.Response) -> Element:
    assert answer.status_code == 200, answer.text
    return ElementTree.fromstring(answer.content)


def text(element: Element, path: str) -> str:
    """What must be there, under just this name in just this namespace."""
    found = element.find(path, SPACES)
    assert found is not None, path
    return found.text or ""


def posted(client: httpx.Client, body: bytes, **fields: str) -> str:
    """The address of the job, which all want to be told with 201."""
    head = {name.replace("_", "-"): value for name, value in fields.items()}
    answer = client.post("/ScanJobs", content=body, headers=head)
    assert answer.status_code == 201, answer.text
    return str(answer.headers["location"])


def pulled(client: httpx.Client, job: str, end: tuple[int, ...] = (404,)) -> list[bytes]:
    """All pages, as most clients fetch them: again after 503, and no more after 404."""
    pages = []
    while (answer := client.get(f"{job}/NextDocument")).status_code not in end:
        if answer.status_code == 503:
            time.sleep(0.1)
            continue
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == JPEG
        pages.append(answer.content)
    return pages


def job_of(status: Element, path: str) -> Element:
    return next(each for each in status.iterfind(".//scan:JobInfo", SPACES) if text(each, "pwg:JobUri") == path)


# -- the scenes ------------------------------------------------------------------------------------------------------


def naps2(shared: Shared, url: str) -> list[bytes]:
    """NAPS2.Escl: gives up on orders after 10 seconds, and looks at the state and the feeder first."""
    body = settings(
        "<pwg:Version>2.0</pwg:Version><scan:Intent>TextAndGraphic</scan:Intent>",
        region(HEIGHT, UNITS, WIDTH, OFFSETS),
        FEEDER,
        f"<scan:Duplex>false</scan:Duplex>{COLOUR}{DPI}",
        "<scan:CompressionFactor>25</scan:CompressionFactor><pwg:DocumentFormat>image/jpeg</pwg:DocumentFormat>",
    )
    with shared.client(url=url) as client:
        client.timeout = httpx.Timeout(10)
        caps = tree(client.get("/ScannerCapabilities"))
        assert text(caps, "scan:Adf/scan:AdfSimplexInputCaps/scan:SettingProfiles//scan:ColorMode") == "RGB24"
        status = tree(client.get("/ScannerStatus"))
        assert text(status, "pwg:State") not in ("Processing", "Testing", "Stopped")
        assert text(status, "scan:AdfState") not in ("ScannerAdfEmpty", "ScannerAdfJam")
        job = posted(client, body, content_type="text/xml; charset=utf-8")
        return pulled(client, job, end=(404, 410))


def scanbridge(shared: Shared, url: str) -> list[bytes]:
    """ScanBridge, by esclkt: finds its job in the status after each page, and deletes it when it is completed."""
    body = settings(
        "<pwg:Version>2.0</pwg:Version><scan:Intent>Document</scan:Intent>",
        region(HEIGHT, UNITS, WIDTH, OFFSETS),
        f"{FEEDER}{DPI}{COLOUR}<scan:DocumentFormatExt>image/jpeg</scan:DocumentFormatExt>",
    )
    pages = []
    with shared.client(url=url) as client:
        client.headers["user-agent"] = "ktor-client"
        esclkt_capabilities(tree(client.get("/ScannerCapabilities")))
        path = urlsplit(posted(client, body, content_type="text/xml", accept="*/*, text/xml")).path + "/"
        while (answer := client.get(f"{shared.base}{path}NextDocument")).status_code == 200:
            pages.append(answer.content)
            status = tree(client.get("/ScannerStatus"))
            esclkt_status(status)
            if text(job_of(status, path.rstrip("/")), "pwg:JobState") == "Completed":
                break
        else:
            assert answer.status_code == 404
            assert text(job_of(tree(client.get("/ScannerStatus")), path.rstrip("/")), "pwg:JobState") == "Completed"
        client.delete(shared.base + path)
    return pages


def esclkt_capabilities(caps: Element) -> None:
    assert caps.tag == f"{{{SCAN}}}ScannerCapabilities"
    assert re.fullmatch(r"\d+\.\d+", text(caps, "pwg:Version"))
    assert 0 < len(text(caps, "pwg:MakeAndModel")) < 128 and text(caps, "pwg:SerialNumber")
    UUID(text(caps, "scan:UUID"))
    assert {each.text for each in caps.iterfind("scan:Adf/scan:AdfOptions/scan:AdfOption", SPACES)} == {"Duplex"}
    for place in ("scan:Platen/scan:PlatenInputCaps", "scan:Adf/scan:AdfSimplexInputCaps"):
        for each in ("MinWidth", "MaxWidth", "MinHeight", "MaxHeight"):
            assert int(text(caps, f"{place}/scan:{each}")) > 0
        assert text(caps, f"{place}/scan:SupportedIntents/scan:Intent")
        profile = f"{place}/scan:SettingProfiles/scan:SettingProfile"
        formats = {each.text for each in caps.iterfind(f"{profile}/scan:DocumentFormats/*", SPACES)}
        assert {"application/pdf", "image/jpeg"} <= formats
        assert text(caps, f"{profile}/scan:SupportedResolutions/scan:DiscreteResolutions//scan:XResolution")


def esclkt_status(status: Element) -> None:
    assert status.tag == f"{{{SCAN}}}ScannerStatus"
    assert re.fullmatch(r"\d+\.\d+", text(status, "pwg:Version"))
    assert text(status, "pwg:State") in ("Idle", "Processing")
    assert text(status, "scan:AdfState") in ("ScannerAdfLoaded", "ScannerAdfProcessing", "ScannerAdfEmpty")
    for each in status.iterfind("scan:Jobs/scan:JobInfo", SPACES):
        UUID(text(each, "pwg:JobUuid"))
        assert int(text(each, "scan:Age")) >= 0 and int(text(each, "pwg:ImagesCompleted")) >= 0


def openairscan(shared: Shared, url: str) -> list[bytes]:
    """OpenAirScan, by SwiftESCL: joins addresses with two strokes, and says nothing of the kind of its body."""
    body = settings(
        f"<pwg:Version>2.6</pwg:Version>{FEEDER}<scan:Intent>Document</scan:Intent>",
        f"<scan:DocumentFormatExt>image/jpeg</scan:DocumentFormatExt>{DPI}{COLOUR}",
        region(WIDTH, HEIGHT, UNITS),
    )
    with shared.client(url=url) as client:
        status = tree(client.get(f"{url}//ScannerStatus", headers={"accept": "application/xml"}))
        assert text(status, "pwg:State") == "Idle"
        job = posted(client, body, content_type="application/x-www-form-urlencoded")
        assert re.search(r"/ScanJobs/[0-9a-f-]+$", job)
        pages = pulled(client, job)
        info = job_of(tree(client.get("/ScannerStatus")), urlsplit(job).path)
        assert text(info, "pwg:JobState") == "Completed" and int(text(info, "scan:Age")) >= 0
    return pages


def airscan_of_go(shared: Shared, url: str) -> list[bytes]:
    """github.com/stapelberg/airscan: calls us by the announced host name alone, and ends what has ended."""
    own = share_id(Paths.from_environment({"DWTSVC_HOME": str(shared.served.home)}).share_id)
    assert own is not None
    alone = '<?xml version="1.0" encoding="UTF-8" standalone="no"?>' + ROOT
    body = settings(
        "<pwg:Version>2.0</pwg:Version>",
        region(UNITS, WIDTH, HEIGHT, OFFSETS, honor="false"),
        f"<scan:DocumentFormatExt>image/jpeg</scan:DocumentFormatExt>{FEEDER}{DPI}{COLOUR}",
    ).replace((DECLARED + ROOT).encode(), alone.encode())
    with shared.client(url=f"{shared.base}/eSCL") as client:
        client.headers["host"] = f"dwtsvc-{own.hex[:8]}"
        status = tree(client.get("/ScannerStatus"))
        assert (text(status, "pwg:State"), text(status, "scan:AdfState")) == ("Idle", "ScannerAdfLoaded")
        job = shared.base + urlsplit(posted(client, body)).path
        pages = pulled(client, job)
        assert client.delete(job).status_code == 404
    return pages


def image_capture(shared: Shared, url: str) -> list[bytes]:
    """macOS, as people report it: asks for the status at once, and has failed if the job is over without a page."""
    body = settings(
        "<pwg:Version>2.6</pwg:Version><scan:Intent>Photo</scan:Intent>",
        region(UNITS, HEIGHT, WIDTH, OFFSETS),
        f"{FEEDER}{COLOUR}{DPI}<pwg:DocumentFormat>image/jpeg</pwg:DocumentFormat>",
        "<scan:DocumentFormatExt>image/jpeg</scan:DocumentFormatExt>",
    )
    with shared.client(url=url) as client:
        job = posted(client, body, content_type="text/xml")
        for _ in range(3):
            told = job_of(tree(client.get("/ScannerStatus")), urlsplit(job).path)
            assert text(told, "pwg:JobState") == "Processing"
            time.sleep(0.5)  # the scan of the virtual scanner ends meanwhile, and no page was fetched
        return pulled(client, job)


def mopria(shared: Shared, url: str) -> list[bytes]:
    """Mopria Scan, as servers log it: it comes again after 503."""
    body = settings(
        "<pwg:Version>2.6</pwg:Version>",
        region(UNITS, HEIGHT, WIDTH, OFFSETS),
        f"{FEEDER}<scan:DocumentFormatExt>image/jpeg</scan:DocumentFormatExt>{DPI}{COLOUR}",
    )
    head = {"user-agent": "okhttp/4.9.1", "accept-encoding": "gzip", "connection": "Keep-Alive"}
    with shared.client(url=url) as client:
        client.headers.update(head)
        assert text(tree(client.get("/ScannerCapabilities")), "pwg:MakeAndModel")
        return pulled(client, posted(client, body, content_type="text/xml; charset=utf-8"))


def other_app(shared: Shared, url: str) -> list[bytes]:
    """Small apps: no version, the place in the wrong namespace, and a look at the job's own address."""
    body = settings(
        region(WIDTH, HEIGHT, OFFSETS),
        "<scan:InputSource>Feeder</scan:InputSource>",
        f'<scan:DocumentFormatExt class="page">image/jpeg</scan:DocumentFormatExt>{COLOUR}{DPI}',
    )
    with shared.client(url=url) as client:
        client.headers.update({"connection": "close", "accept": "application/xml, image/jpeg, */*"})
        job = posted(client, body, content_type="application/xml")
        assert client.get(job).status_code in (200, 404)
        return pulled(client, job)


def like_hp(shared: Shared, url: str) -> list[bytes]:
    """Programs for HP's scanners (node-hp-scan-to and others): namespaces by default, where they change."""
    named = (
        f'<ScanSettings xmlns="{SCAN}"><Version xmlns="{PWG}">2.63</Version><Intent>Document</Intent>'
        f'<ScanRegions xmlns="{PWG}" xmlns:n0="{PWG}" n0:MustHonor="false"><ScanRegion><Height>1500</Height><Width>1200'
        "</Width><XOffset>0</XOffset><YOffset>0</YOffset></ScanRegion></ScanRegions>"
        f'<InputSource xmlns="{PWG}">Feeder</InputSource><DocumentFormatExt>image/jpeg</DocumentFormatExt>'
        "<XResolution>75</XResolution><YResolution>75</YResolution><ColorMode>RGB24</ColorMode><Duplex>false</Duplex>"
        "<CompressionFactor>25</CompressionFactor><Brightness>1000</Brightness><Contrast>1000</Contrast>"
        "<BlankPageDetection>true</BlankPageDetection></ScanSettings>"
    )
    with shared.client(url=url) as client:
        job = posted(client, named.encode(), content_type="text/xml")
        return pulled(client, job)


SCENES: list[Scene] = [
    airscan_of_go,  # it knows the first scanner only
    naps2,
    scanbridge,
    openairscan,
    image_capture,
    mopria,
    other_app,
    like_hp,
]


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_a_client_that_cannot_run_here_gets_its_pages(shared: Shared, scene: Scene) -> None:
    pages = scene(shared, shared.records[SCENES.index(scene)]["url"])
    assert [Image.open(io.BytesIO(page)).size for page in pages] == [SIZE] * 3
