"""Stored documents over REST: their pages, their metadata, their password, and the files they become."""

from __future__ import annotations

import io
from typing import Any

import httpx
import pypdf
import pytest
from PIL import Image

from dwtsvc.server.gate.access import Access, of_origin
from dwtsvc.server.rest import sheets
from tests.server.faces import ADF, DOCUMENTS, JOBS, Api, Play, Served, page_urls, scanned

SITE = of_origin("https://a.example", [Access.READ, Access.EDIT])


async def filled(client: httpx.AsyncClient, password: str = "", **config: Any) -> tuple[str, list[str]]:
    """A document with the two pages of a scan; its id and their ids."""
    job = await scanned(client, config=config)
    made = await client.post(DOCUMENTS, json={"password": password} if password else {})
    assert made.status_code == 201 and made.json()["pages"] == []
    uid = made.json()["uid"]
    info: dict[str, Any] = {}
    for url in await page_urls(client, job):
        answer = await client.post(f"{DOCUMENTS}/{uid}/pages", json={"source": url}, headers=key(password))
        assert answer.status_code == 200, answer.text
        info = answer.json()
    return uid, [page["uid"] for page in info["pages"]]


def key(password: str) -> dict[bytes, bytes]:
    return {b"DWT-DOC-PASSWORD": password.encode()} if password else {}


async def fetched(client: httpx.AsyncClient, uid: str, secret: str = "", **query: Any) -> httpx.Response:
    return await client.get(f"{DOCUMENTS}/{uid}/content", params=query, headers=key(secret))


def test_a_document_keeps_pages_in_order_and_outlives_its_job(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        job = await scanned(client)
        urls = await page_urls(client, job)
        uid = (await client.post(DOCUMENTS)).json()["uid"]
        pages = f"{DOCUMENTS}/{uid}/pages"
        first = (await client.post(pages, json={"source": urls[0]})).json()["pages"]
        before = (await client.post(pages, json={"source": urls[1], "insertPos": 1})).json()["pages"]
        assert before[1:] == first
        for wrong in (0, -3, 99):
            last = (await client.post(pages, json={"source": urls[0], "insertPos": wrong})).json()["pages"]
            assert last[: len(before)] == before
            await client.delete(f"{pages}/{last[-1]['uid']}")
        original = (await client.get(urls[1])).content
        await client.delete(f"{JOBS}/{job}")
        assert (await fetched(client, uid, type="image/png")).content == original
        assert (await client.get(DOCUMENTS)).json() == [{"uid": uid, "encrypted": False}]

    play(scene)


def test_pages_are_deleted_by_index_or_id_and_unknown_ones_are_404(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        uid, ids = await filled(client)
        assert (await client.delete(f"{DOCUMENTS}/{uid}/pages/0")).status_code == 204
        assert (await client.get(f"{DOCUMENTS}/{uid}")).json()["pages"] == [{"uid": ids[1]}]
        assert (await client.delete(f"{DOCUMENTS}/{uid}/pages/{ids[1]}")).status_code == 204
        for name in (ids[1], "0", "99999999999999999999", "x", "..%2f..%2fx", "²"):
            refused = await client.delete(f"{DOCUMENTS}/{uid}/pages/{name}")
            assert refused.status_code == 404 and refused.json()["code"] == -1040, name
        empty = await fetched(client, uid)
        assert empty.status_code == 400

    play(scene)


def test_metadata_is_replaced_wholly(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        uid = (await client.post(DOCUMENTS)).json()["uid"]
        for value in ("a text", {"customer": 17, "tags": ["a"]}, {"other": None}):
            changed = await client.patch(f"{DOCUMENTS}/{uid}", json={"metadata": value})
            assert changed.status_code == 200 and changed.json()["metadata"] == value
        assert (await client.get(f"{DOCUMENTS}/{uid}")).json()["metadata"] == {"other": None}
        for wrong in ({}, {"metadata": 5}, {"metadata": None}):
            assert (await client.patch(f"{DOCUMENTS}/{uid}", json=wrong)).status_code == 400

    play(scene)


@pytest.mark.parametrize("password", ["secret", "päß wört"])
def test_a_password_is_needed_for_everything(play: Play, password: str) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        uid, ids = await filled(client, password)
        base = f"{DOCUMENTS}/{uid}"
        for headers in ({}, key("wrong"), key("x" * 5000)):
            for method, path in (
                *(("GET", base), ("PATCH", base), ("DELETE", base), ("GET", f"{base}/content")),
                *(("POST", f"{base}/pages"), ("DELETE", f"{base}/pages/{ids[0]}")),
            ):
                body = {"metadata": "x", "source": "x"} if method in ("PATCH", "POST") else None
                refused = await client.request(method, path, json=body, headers=headers)
                assert refused.status_code == 403 and refused.json()["code"] == -1043, (method, path)
        assert (await fetched(client, uid, password)).content[:5] == b"%PDF-"
        old = {b"X-DICS-DOC-PASSWORD": password.encode()}
        assert (await client.get(base, headers=old)).status_code == 200
        assert (await client.delete(base, headers=key(password))).status_code == 204
        assert (await client.get(base)).status_code == 404

    play(scene)


def test_a_password_has_at_most_32_characters(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        assert (await client.post(DOCUMENTS, json={"password": "p" * 32})).status_code == 201
        assert (await client.post(DOCUMENTS, json={"password": "p" * 33})).status_code == 400

    play(scene)


def test_another_origin_sees_no_document_and_cannot_take_pages_of_a_job(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        uid, _ = await filled(client)
        url = (await page_urls(client, await scanned(client)))[0]
        async with api.client(SITE) as site:
            assert (await site.get(f"{DOCUMENTS}/{uid}")).status_code == 404
            assert (await site.get(DOCUMENTS)).json() == []
            own = (await site.post(DOCUMENTS)).json()["uid"]
            stolen = await site.post(f"{DOCUMENTS}/{own}/pages", json={"source": url})
            assert stolen.status_code == 404 and stolen.json()["code"] == -1034

    play(scene)


def test_a_pdf_has_all_pages_or_those_asked_for(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        uid, ids = await filled(client)
        for pages, count in (("", 2), ("1", 1), (f"{ids[1]},0,0", 3), (" 0 , 1 ", 2)):
            made = await fetched(client, uid, pages=pages)
            assert made.headers["content-type"] == "application/pdf"
            assert int(made.headers["content-length"]) == len(made.content)
            assert len(pypdf.PdfReader(io.BytesIO(made.content)).pages) == count
        unknown = await fetched(client, uid, pages="2")
        assert unknown.status_code == 404 and unknown.json()["code"] == -1040

    play(scene)


def test_a_large_file_comes_in_pieces_and_the_connection_stays(running: Served) -> None:
    with httpx.Client(base_url=running.url, timeout=60) as client:
        config = {"Resolution": 600, "PixelType": 2, "XferCount": 1}
        body = {"device": "virtual:adf?pages=1&seed=600&noise=0.3", "config": config}
        job = client.post(JOBS, json=body).json()["jobuid"]
        url = client.get(f"{JOBS}/{job}/next-page-info").json()[0]["url"]
        uid = client.post(DOCUMENTS).json()["uid"]
        client.post(f"{DOCUMENTS}/{uid}/pages", json={"source": url})
        large = client.get(f"{DOCUMENTS}/{uid}/content", params={"type": "image/tiff", "compression": 1})
        assert len(large.content) > sheets.IN_MEMORY
        assert Image.open(io.BytesIO(large.content)).format == "TIFF"
        for _ in range(20):
            assert client.get(f"{DOCUMENTS}/{uid}/content").content[:5] == b"%PDF-"
            assert client.get(f"{DOCUMENTS}/{uid}").status_code == 200
        assert client.delete(f"{DOCUMENTS}/{uid}").status_code == client.delete(f"{JOBS}/{job}").status_code == 204


def test_a_pdf_has_the_metadata_dates_paper_version_and_password_asked_for(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        uid, _ = await filled(client)
        about = {
            "author": "Ada",
            "creator": "a test",
            "keyWords": "one, two",
            "producer": "us",
            "subject": "s",
            "title": "Ünï",
            "creationDate": "D:20240719",
            "modifiedDate": "D:20240720120000",
        }
        made = await fetched(client, uid, **about, version="1.4", pageType=3, password="open me")
        reader = pypdf.PdfReader(io.BytesIO(made.content), password="open me")
        assert reader.is_encrypted and reader.metadata is not None
        said = {name: str(reader.metadata[name]) for name in reader.metadata}
        assert said["/Author"] == "Ada" and said["/Title"] == "Ünï" and said["/Keywords"] == "one, two"
        assert said["/CreationDate"] == "D:20240719" and said["/ModDate"] == "D:20240720120000"
        box = reader.pages[0].mediabox
        assert (round(box.width), round(box.height)) == (842, 595)
        with pytest.raises(pypdf.errors.FileNotDecryptedError):
            _ = pypdf.PdfReader(io.BytesIO(made.content)).pages[0]
        plain = await fetched(client, uid, version="1.3")
        assert plain.content[:8] == b"%PDF-1.3"

    play(scene)


def test_a_page_fits_on_its_paper(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        import pypdfium2

        uid, _ = await filled(client, PageSize=1)
        made = await fetched(client, uid, pageType=4, pages="0")
        document = pypdfium2.PdfDocument(made.content)
        drawn = document[0].render(scale=0.5).to_pil().convert("L")
        assert drawn.width / drawn.height == pytest.approx(297 / 420, rel=0.01)
        plain = await fetched(client, uid, pages="0")
        small = pypdfium2.PdfDocument(plain.content)[0].render(scale=0.5).to_pil().convert("L").resize(drawn.size)
        strays = sum(abs(a - b) > 100 for a, b in zip(drawn.tobytes(), small.tobytes(), strict=True))
        assert strays < 0.02 * drawn.width * drawn.height

    play(scene)


def test_compressions_are_those_that_can_be_done_and_others_say_which(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        uid, _ = await filled(client)
        for compression, name in (
            *((0, "/DCTDecode"), (5, "/DCTDecode"), (2, "/CCITTFaxDecode")),
            *((3, "/LZWDecode"), (6, "/JPXDecode")),
        ):
            made = await fetched(client, uid, compression=compression)
            image = pypdf.PdfReader(io.BytesIO(made.content)).pages[0]["/Resources"]["/XObject"]["/P"]  # type: ignore[index]
            assert image["/Filter"] == name
        for compression, word in (
            (0, "tiff_adobe_deflate"),
            (1, "raw"),
            (5, "tiff_lzw"),
            (7, "jpeg"),
            (32773, "packbits"),
        ):
            made = await fetched(client, uid, type="image/tiff", compression=compression)
            with Image.open(io.BytesIO(made.content)) as image:
                found = image.info["compression"]
                assert image.n_frames == 2  # type: ignore[attr-defined]
            assert found == word
        for kind, wrong in (("application/pdf", 7), ("application/pdf", 4), ("image/tiff", 6)):
            refused = await fetched(client, uid, type=kind, compression=wrong)
            assert refused.status_code == 400 and "0 (auto)" in refused.json()["message"]

    play(scene)


def test_black_and_white_pages_can_be_jpeg_in_a_pdf(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        uid, _ = await filled(client, PixelType=0)
        filters = []
        for compression in (0, 2, 5):
            made = await fetched(client, uid, compression=compression)
            page = pypdf.PdfReader(io.BytesIO(made.content)).pages[0]
            filters.append(page["/Resources"]["/XObject"]["/P"]["/Filter"])  # type: ignore[index]
        assert filters == ["/CCITTFaxDecode", "/CCITTFaxDecode", "/DCTDecode"]
        for compression, word in ((2, "tiff_ccitt"), (3, "group3"), (4, "group4"), (32773, "packbits")):
            made = await fetched(client, uid, type="image/tiff", compression=compression)
            with Image.open(io.BytesIO(made.content)) as image:
                assert image.info["compression"] == word

    play(scene)


def test_one_page_as_an_image_and_quality_counts(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        uid, ids = await filled(client)
        png = await fetched(client, uid, type="image/png", pages=ids[1])
        assert Image.open(io.BytesIO(png.content)).format == "PNG"
        sizes = [len((await fetched(client, uid, type="image/jpeg", quality=q)).content) for q in (0, 30, 95)]
        assert sizes == sorted(sizes) and len(set(sizes)) == 3
        assert (await fetched(client, uid, type="image/png", pages="0,1")).status_code == 400

    play(scene)


@pytest.mark.parametrize(
    "query",
    [
        {"type": "image/gif"},
        {"quality": 101},
        {"quality": "x"},
        {"pageType": 1},
        {"pageType": 10},
        {"version": "2.0"},
        {"creationDate": "yesterday"},
        {"creationDate": "D:20241399"},
        {"password": "p" * 33},
        {"compression": -1},
    ],
)
def test_a_query_that_cannot_be_is_400(play: Play, query: dict[str, Any]) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        made = await client.post(DOCUMENTS)
        uid = made.json()["uid"]
        url = (await page_urls(client, await scanned(client, config={"XferCount": 1})))[0]
        await client.post(f"{DOCUMENTS}/{uid}/pages", json={"source": url})
        refused = await fetched(client, uid, **query)
        assert refused.status_code == 400 and refused.json()["code"] == -2113

    play(scene)


def test_sources_that_are_no_pages_of_this_service_are_refused_with_the_reason(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        uid = (await client.post(DOCUMENTS)).json()["uid"]
        url = (await page_urls(client, await scanned(client)))[0]
        for source in (
            *("", "x", "file:///etc/passwd", "https://example.com/a.png", url.replace("127.0.0.1", "10.0.0.1")),
            *(
                url.replace("//", "//user@"),
                url.replace("http:", "ftp:"),
                url.partition("?")[0],
                "http://[::1",
                "a" * 4096,
            ),
        ):
            refused = await client.post(f"{DOCUMENTS}/{uid}/pages", json={"source": source})
            assert refused.status_code == 400 and refused.json()["cause"]["message"], source
        for source in (url.replace("127.0.0.1", "localhost"), url.replace("http:", "https:").replace("18622", "18623")):
            assert (await client.post(f"{DOCUMENTS}/{uid}/pages", json={"source": source})).status_code == 200
        unknown = await client.post(f"{DOCUMENTS}/{uid}/pages", json={"source": url[:-4] + "0000"})
        assert unknown.status_code == 404

    play(scene)


def test_the_room_of_a_sites_documents_is_limited(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        site = of_origin("https://a.example", [Access.LIST, Access.SCAN, Access.READ, Access.EDIT])
        async with api.client(site) as foreign:
            job = await scanned(foreign, config={"XferCount": 1})
            url = (await page_urls(foreign, job))[0]
            uid = (await foreign.post(DOCUMENTS)).json()["uid"]
            taken = [await foreign.post(f"{DOCUMENTS}/{uid}/pages", json={"source": url}) for _ in range(8)]
            assert {each.status_code for each in taken} == {200, 429}
        assert (await client.post(DOCUMENTS, json={"device": ADF})).status_code == 201

    play(scene, origin_cache_limit=500_000)
