"""Jobs and pages in the words of the REST API."""

from __future__ import annotations

from msgspec import UNSET

from dwtsvc.model import PageInfo
from dwtsvc.server import faults
from dwtsvc.server.holdings import Held
from dwtsvc.server.rest import pagelinks
from dwtsvc.server.rest.model import (
    Cause,
    ImageFrame,
    ImageInfo,
    ImageLayout,
    JobInfo,
    JobSummary,
    OutputInfo,
)
from dwtsvc.server.rest.twain import PIXEL_TYPE_OF

GOOD = "Successful"


def info(held: Held) -> JobInfo:
    """The state of a job, and what went wrong if something did."""
    error = held.job.error
    return JobInfo(
        status=held.job.state.value,
        code=error.service_code if error else 0,
        message=faults.message(error) if error else GOOD,
        pages=len(held.job.pages),
        cause=Cause(0, faults.why(error)) if error and faults.why(error) else UNSET,
        error=error.word if error else UNSET,
    )


def summary(held: Held) -> JobSummary:
    job = held.job
    begun = held.begun.isoformat(timespec="seconds")
    return JobSummary(held.uid, job.state.value, job.request.device, len(job.pages), begun)


def path(held: Held, page: PageInfo) -> str:
    return pagelinks.path(held.uid, page)


def output_info(page: PageInfo, index: int, url: str) -> OutputInfo:
    """A page at a 0-based index of its job."""
    raster = page.raster
    height = raster.height or 0
    across, down = round(raster.width / raster.dpi, 4), round(height / raster.dpi, 4)
    return OutputInfo(
        imageId=index + 1,
        imageuid=pagelinks.imageuid(page),
        url=url,
        imageInfo=ImageInfo(
            BitsPerPixel=raster.channels * raster.depth,
            BitsPerSample=[raster.depth] * raster.channels + [0] * (8 - raster.channels),
            Compression=0,
            ImageLayout=ImageLayout(
                DocumentNumber=1, Frame=ImageFrame(0.0, 0.0, across, down), FrameNumber=1, PageNumber=index + 1
            ),
            ImageLength=height,
            ImageWidth=raster.width,
            PixelType=PIXEL_TYPE_OF[raster.mode],
            Planar=False,
            SamplesPerPixel=raster.channels,
            XResolution=raster.dpi,
            YResolution=raster.dpi,
        ),
        extendedImageInfo={},
        back=page.back,
    )
