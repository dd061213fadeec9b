"""What the REST API says and hears, by the protocol's own names; unknown keys of a body are ignored."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

LONGEST_NAME = 4096  # characters of a device or an address
LONGEST_SETTINGS = 1 << 19
DAY = 86_400

ImageType = Literal["image/png", "image/jpeg"]
Seconds = Annotated[int, Meta(ge=1, le=DAY)]


class Cause(Struct):
    code: int
    message: str


class Problem(Struct):
    """What every refused request is answered with; `error` is a word for programs."""

    code: int
    message: str
    statusCode: int
    error: str
    cause: Cause | UnsetType = UNSET


# ---- scanners and jobs ----


class Scanner(Struct):
    """`device` is a text to send back as it is; `id` is the name that the command line knows, and may be sent too;
    `kind` is scanner, camera or recording; `also` are ids of the same scanner by other ways."""

    name: str
    type: int
    device: str
    id: str
    virtual: bool
    kind: str = "scanner"
    also: list[str] = []


class CapabilitySetting(Struct):
    capability: int
    curValue: Any = None
    values: list[Any] | None = None
    exception: Literal["ignore", "fail"] | None = None


class CapabilitySettings(Struct):
    capabilities: list[CapabilitySetting] = []
    exception: Literal["ignore", "fail"] = "ignore"


class DeviceConfiguration(Struct):
    """What this service heeds of the published settings; the others are ignored."""

    IfFeederEnabled: bool | None = None
    IfDuplexEnabled: bool | None = None
    PixelType: int | None = None
    Resolution: Annotated[float, Meta(gt=0, le=19_200)] | None = None
    PageSize: int | None = None
    XferCount: int | None = None


class CreateJob(Struct):
    autoRun: bool = True
    requestFocusForScanningUI: bool = True
    scannerFailureTimeout: Seconds | None = None
    jobTimeout: Annotated[int, Meta(ge=0, le=DAY * 30)] = 0
    device: Annotated[str, Meta(max_length=LONGEST_NAME)] | None = None
    settings: Annotated[str, Meta(max_length=LONGEST_SETTINGS)] | None = None
    caps: CapabilitySettings | None = None
    config: DeviceConfiguration | None = None
    checkFeederLoaded: bool = False


class OldCreateJob(Struct):
    """The body of the older `/DWTAPI/ScanJobs`."""

    device: Annotated[str, Meta(max_length=LONGEST_NAME)] | None = None
    config: DeviceConfiguration | None = None


class JobMade(Struct):
    jobuid: str
    status: str
    scanner: Scanner


class JobSummary(Struct):
    jobuid: str
    status: str
    device: str
    pages: int
    begun: str


class JobInfo(Struct):
    """`error` is the word for programs of what ended the job, as in `Problem`."""

    status: str
    code: int
    message: str
    pages: int
    cause: Cause | UnsetType = UNSET
    error: str | UnsetType = UNSET


class ChangeJob(Struct):
    status: Literal["running", "canceled"] = "running"


class JobStatus(Struct):
    status: str


class DriverSettings(Struct):
    settings: str


class Labelled(Struct):
    value: int
    label: str


class Frame(Struct):
    """Inches."""

    left: float
    top: float
    right: float
    bottom: float


CapValue = bool | float | str | Frame  # whole numbers are numbers, too: the schema lets a value be one kind only


class CapabilityDetails(Struct, omit_defaults=True):
    capability: Labelled
    conType: Labelled
    valueType: Labelled
    query: list[str]
    curValue: CapValue | UnsetType = UNSET
    defaultValue: CapValue | UnsetType = UNSET
    curIndex: int | UnsetType = UNSET
    defIndex: int | UnsetType = UNSET
    minValue: float | UnsetType = UNSET
    maxValue: float | UnsetType = UNSET
    stepSize: float | UnsetType = UNSET
    values: list[CapValue] | UnsetType = UNSET
    enums: list[CapValue] | UnsetType = UNSET


# ---- pages ----


class ImageFrame(Struct):
    """Inches."""

    Left: float
    Top: float
    Right: float
    Bottom: float


class ImageLayout(Struct):
    DocumentNumber: int
    Frame: ImageFrame
    FrameNumber: int
    PageNumber: int


class ImageInfo(Struct):
    BitsPerPixel: int
    BitsPerSample: list[int]
    Compression: int
    ImageLayout: ImageLayout
    ImageLength: int
    ImageWidth: int
    PixelType: int
    Planar: bool
    SamplesPerPixel: int
    XResolution: float
    YResolution: float


class OutputInfo(Struct):
    """A page: its number from 1, its id, and where it can be fetched as often as wanted. `back` is of its sheet."""

    imageId: int
    imageuid: str
    url: str
    imageInfo: ImageInfo
    extendedImageInfo: dict[str, Any]
    back: bool


# ---- documents ----


class CreateDocument(Struct):
    password: Annotated[str, Meta(max_length=32)] = ""


class ChangeDocument(Struct):
    metadata: str | dict[str, Any]


class InsertPage(Struct):
    source: Annotated[str, Meta(max_length=LONGEST_NAME)]
    insertPos: int | None = None


class DocumentPage(Struct):
    uid: str


class DocumentInfo(Struct):
    uid: str
    pages: list[DocumentPage]
    metadata: str | dict[str, Any] | UnsetType = UNSET


class DocumentSummary(Struct):
    uid: str
    encrypted: bool


# ---- processing ----


class ReadBarcode(Struct):
    source: Annotated[str, Meta(max_length=LONGEST_NAME)]
    settings: str | None = None


class BlankSettings(Struct):
    minBlockHeight: Annotated[float, Meta(gt=0, le=1_000_000)] = 20
    maxBlockHeight: Annotated[float, Meta(gt=0, le=1_000_000)] = 30


class CheckBlank(Struct):
    source: Annotated[str, Meta(max_length=LONGEST_NAME)]
    settings: BlankSettings | None = None


class BlankResult(Struct):
    result: bool
    score: float
    reason: str


class EditStep(Struct):
    name: str
    values: dict[str, float | str | bool] = {}


class EditPage(Struct):
    source: Annotated[str, Meta(max_length=LONGEST_NAME)]
    steps: Annotated[list[EditStep], Meta(max_length=100)] = []
    type: Literal["image/png", "image/jpeg", "image/tiff", "image/webp", "image/bmp", "application/pdf"] = "image/png"


class OcrSettings(Struct):
    """`language` as tesseract names it, several joined by +; without it that of the service's settings."""

    language: Annotated[str, Meta(max_length=400)] = ""
    fast: bool = False
    psm: Annotated[int, Meta(ge=1, le=13)] | None = None
    rotate: bool = False
    deskew: bool = False
    format: Literal["json", "text", "hocr", "alto", "tsv", "pdf"] = "json"


class ReadText(Struct):
    source: Annotated[str, Meta(max_length=LONGEST_NAME)]
    settings: OcrSettings | None = None


class OcrLanguages(Struct):
    """`default` is what is read without a language; an engine that is not installed has no version."""

    languages: list[str]
    default: str
    engines: dict[str, str | None]


class SplitPages(Struct):
    """One of `sources`, `jobuid` and `document` names the pages. `password` is that of the documents to be made."""

    sources: Annotated[list[Annotated[str, Meta(max_length=LONGEST_NAME)]], Meta(max_length=10_000)] | None = None
    jobuid: Annotated[str, Meta(max_length=64)] | None = None
    document: Annotated[str, Meta(max_length=64)] | None = None
    separators: Annotated[list[Annotated[str, Meta(max_length=400)]], Meta(max_length=32)] = []
    dropBlank: bool = False
    duplex: bool = False
    create: bool = False
    password: Annotated[str, Meta(max_length=32)] = ""


class MappedPage(Struct):
    """What becomes of a page, counted from 1; a dropped one that belongs to no document has none."""

    document: int | None
    page: int
    kept: bool
    reason: str
    confidence: float


class MadeDocument(Struct):
    document: int
    uid: str


class SplitResult(Struct):
    pages: list[MappedPage]
    documents: list[MadeDocument]


# ---- the service itself ----


class ServerSettings(Struct):
    logLevel: int


class ChangeServer(Struct):
    logLevel: Literal[0, 1, 14, 30]


class Version(Struct):
    version: str
    compatible: bool
    moduleVersions: dict[str, list[str]]
