"""How real devices answer, reconstructed: none of these is a recording.

Each is built anew from what owners published of theirs (logs in issues of eSCL clients), cut down to what is unlike the
next one. Numbers of series and addresses are made up.
"""

from __future__ import annotations

from dataclasses import dataclass

SCAN, PWG = "http://schemas.hp.com/imaging/escl/2011/05/03", "http://www.pwg.org/schemas/2010/12/sm"
OLD_SCAN = "http://schemas.hp.com/imaging/escl/2011/02/08"


@dataclass(frozen=True, slots=True)
class Model:
    """Its ScannerCapabilities and, where it is unusual, its ScannerStatus; `headers` come with both."""

    capabilities: str
    status: str = ""
    headers: tuple[tuple[str, str], ...] = ()


def _dpi(*values: int) -> str:
    axes = "<scan:XResolution>{0}</scan:XResolution><scan:YResolution>{0}</scan:YResolution>"
    each = f"<scan:DiscreteResolution>{axes}</scan:DiscreteResolution>"
    return f"<scan:DiscreteResolutions>{''.join(each.format(value) for value in values)}</scan:DiscreteResolutions>"


def _words(tag: str, *values: str) -> str:
    return "".join(f"<{tag}>{value}</{tag}>" for value in values)


def _size(width: int, height: int, least: int = 1) -> str:
    return (
        f"<scan:MinWidth>{least}</scan:MinWidth><scan:MaxWidth>{width}</scan:MaxWidth>"
        f"<scan:MinHeight>{least}</scan:MinHeight><scan:MaxHeight>{height}</scan:MaxHeight>"
    )


def _formats(*values: str) -> str:
    both = _words("pwg:DocumentFormat", *values) + _words("scan:DocumentFormatExt", *values)
    return f"<scan:DocumentFormats>{both}</scan:DocumentFormats>"


def _profile(modes: str, formats: str, resolutions: str, *, more: str = "", name: str = "") -> str:
    called = f' name="{name}"' if name else ""
    return (
        f"<scan:SettingProfiles><scan:SettingProfile{called}><scan:ColorModes>{modes}</scan:ColorModes>{more}{formats}"
        f"{resolutions}</scan:SettingProfile></scan:SettingProfiles>"
    )


def _capabilities(body: str, scan: str = SCAN, declaration: str = '<?xml version="1.0" encoding="UTF-8"?>\n') -> str:
    root = "scan:ScannerCapabilities"
    return f'{declaration}<{root} xmlns:scan="{scan}" xmlns:pwg="{PWG}">{body}</{root}>'


_ALL_MODES = _words("scan:ColorMode", "RGB24", "Grayscale8", "BlackAndWhite1")
_PER_MODE = "".join(
    f"<scan:SupportedResolutions><scan:ColorMode>{mode}</scan:ColorMode>{_dpi(75, 150, 200, 300, 400, 600)}"
    "</scan:SupportedResolutions>"
    for mode in ("RGB24", "Grayscale8", "BlackAndWhite1")
)
_CONTENT = (
    f"<scan:ContentTypes>{_words('pwg:ContentType', 'Photo', 'Text', 'TextAndPhoto', 'Auto')}</scan:ContentTypes>"
)

# Resolutions once for each colour mode, TIFF among the formats, limits of tunings without a namespace.
XEROX_B235 = Model(
    _capabilities(
        "<pwg:Version>2.9</pwg:Version><pwg:MakeAndModel>Xerox(R) B235 MFP</pwg:MakeAndModel>"
        "<scan:Manufacturer>Xerox</scan:Manufacturer><scan:Certifications><scan:Certification>"
        "<scan:Name>mopria-certified-scan</scan:Name><scan:Version>1.4</scan:Version></scan:Certification>"
        "</scan:Certifications><scan:UUID>67bbb526-3a17-474f-a567-2ca5f6156613</scan:UUID>"
        f"<scan:Platen><scan:PlatenInputCaps>{_size(2550, 3508, 300)}"
        f"{_profile(_ALL_MODES, _formats('application/pdf', 'image/jpeg', 'image/tiff'), _PER_MODE, more=_CONTENT)}"
        "<scan:RiskyLeftMargin>2</scan:RiskyLeftMargin></scan:PlatenInputCaps></scan:Platen>"
        f"<scan:Adf><scan:AdfSimplexInputCaps>{_size(2550, 4200, 1230)}"
        f"{_profile(_ALL_MODES, _formats('application/pdf', 'image/jpeg', 'image/tiff'), _PER_MODE)}"
        "</scan:AdfSimplexInputCaps><scan:Justification><scan:XImagePosition>Left</scan:XImagePosition>"
        "</scan:Justification><scan:AdfOptions><scan:AdfOption>DetectPaperLoaded</scan:AdfOption></scan:AdfOptions>"
        "</scan:Adf><scan:BrightnessSupport><Min>1</Min><Max>9</Max><Normal>5</Normal><Step>1</Step>"
        "</scan:BrightnessSupport><scan:BlankPageDetectionAndRemoval>false</scan:BlankPageDetectionAndRemoval>"
    )
)

# A feeder and nothing else, sheets of three metres, no maker, no formats, and a colour mode of its own.
BROTHER_DS940 = Model(
    _capabilities(
        "<pwg:Version>2.63</pwg:Version><pwg:MakeAndModel>DS-940DW</pwg:MakeAndModel>"
        "<scan:UUID>e4d8ca85-9b35-4066-a2dc-734d5620da29</scan:UUID>"
        f"<scan:Adf><scan:AdfSimplexInputCaps>{_size(2550, 36600, 32)}"
        + _profile(
            _words("scan:ColorMode", "Grayscale8", "RGB24", "BlackAndWhite1", "AutoColorDetection"),
            "<scan:DocumentFormats/>",
            f"<scan:SupportedResolutions>{_dpi(100, 150, 200, 300, 600)}</scan:SupportedResolutions>",
            more=_CONTENT,
        )
        + "</scan:AdfSimplexInputCaps></scan:Adf>"
    )
)

# Profiles by name, another year in the namespace, a UUID that is none.
HP_PHOTOSMART = Model(
    _capabilities(
        "<pwg:Version>2.6</pwg:Version><pwg:MakeAndModel>Hewlett Packard Photosmart C4760</pwg:MakeAndModel>"
        "<scan:UUID>96a4b400 2a9e 012f 6165 0025559efbc6f</scan:UUID>"
        + _profile(
            _words("scan:ColorMode", "BlackAndWhite1", "Grayscale8"),
            _formats("application/pdf", "image/jpeg"),
            f"<scan:SupportedResolutions>{_dpi(100, 200, 300)}</scan:SupportedResolutions>",
            name="p1",
        )
        + f"<scan:Adf><scan:AdfSimplexInputCaps>{_size(2600, 3400)}<scan:SettingProfiles>"
        '<scan:SettingProfile ref="p1"/></scan:SettingProfiles></scan:AdfSimplexInputCaps>'
        "<scan:AdfOptions><scan:AdfOption>SelectSinglePage</scan:AdfOption></scan:AdfOptions></scan:Adf>",
        scan=OLD_SCAN,
    )
)

# Two sides that are only an option, tunings up to 2000, and much that eSCL has and we do not know.
HP_OFFICEJET = Model(
    _capabilities(
        "<pwg:Version>2.63</pwg:Version><pwg:MakeAndModel>HP OfficeJet Pro 9120e Series</pwg:MakeAndModel>"
        "<scan:Manufacturer>HP</scan:Manufacturer><scan:UUID>1c852a4d-b800-1f08-abcd-a0b1c2d3e4f5</scan:UUID>"
        + "".join(
            f"<scan:{outer}><scan:{inner}>{_size(2550, height, 8)}"
            + _profile(
                _words("scan:ColorMode", "Grayscale8", "RGB24"),
                _formats("application/octet-stream", "image/jpeg", "application/pdf"),
                f"<scan:SupportedResolutions>{_dpi(75, 100, 200, 300, 600)}</scan:SupportedResolutions>",
            )
            + f"</scan:{inner}>{more}</scan:{outer}>"
            for outer, inner, height, more in (
                ("Platen", "PlatenInputCaps", 3508, ""),
                (
                    "Adf",
                    "AdfSimplexInputCaps",
                    4200,
                    f"<scan:AdfOptions>{_words('scan:AdfOption', 'DetectPaperLoaded', 'Duplex', 'MultipickDetection')}"
                    "</scan:AdfOptions>",
                ),
            )
        )
        + "<scan:AutoCrop>true</scan:AutoCrop><scan:StoredJobRequestSupport><scan:MaxStoredJobRequests>5"
        "</scan:MaxStoredJobRequests></scan:StoredJobRequestSupport><scan:BrightnessSupport><scan:Min>0</scan:Min>"
        "<scan:Max>2000</scan:Max><scan:Normal>1000</scan:Normal><scan:Step>1</scan:Step></scan:BrightnessSupport>"
        "<scan:GammaSupport><scan:Min>0</scan:Min><scan:Max>400</scan:Max></scan:GammaSupport>"
    )
)

# No XML declaration, an "Upgrade" that nobody asked for, and a status full of the jobs of others.
KYOCERA_M5526 = Model(
    _capabilities(
        "\n  <pwg:Version>2.62</pwg:Version>\n  <pwg:MakeAndModel>Kyocera ECOSYS M5526cdw</pwg:MakeAndModel>\n"
        "  <pwg:ModelName>ECOSYS M5526cdw</pwg:ModelName>\n"
        "  <scan:UUID>4509a320-0060-00d0-006a-0025074fc1a3</scan:UUID>\n"
        f"  <scan:Platen><scan:PlatenInputCaps>{_size(2550, 3508, 591)}"
        + _profile(
            _ALL_MODES,
            _formats("image/jpeg", "application/pdf"),
            "<scan:SupportedResolutions><scan:ResolutionRange><scan:XResolutionRange><scan:Min>200</scan:Min>"
            "<scan:Max>600</scan:Max><scan:Normal>300</scan:Normal><scan:Step>100</scan:Step></scan:XResolutionRange>"
            "</scan:ResolutionRange></scan:SupportedResolutions>",
        )
        + "</scan:PlatenInputCaps></scan:Platen>",
        declaration="",
    ),
    status=f'<scan:ScannerStatus xmlns:scan="{SCAN}" xmlns:pwg="{PWG}"><pwg:Version>2.5</pwg:Version>'
    "<pwg:State>Idle</pwg:State><scan:AdfState>ScannerAdfEmpty</scan:AdfState><scan:Jobs>"
    + "".join(
        f"<scan:JobInfo><pwg:JobUri>/eSCL/ScanJobs/{number}</pwg:JobUri><scan:Age>{number}</scan:Age>"
        f"<pwg:JobState>{state}</pwg:JobState><pwg:JobStateReasons><pwg:JobStateReason>JobCanceledByUser"
        "</pwg:JobStateReason></pwg:JobStateReasons></scan:JobInfo>"
        for number, state in ((772, "Completed"), (771, "Canceled"), (1, "Aborted"))
    )
    + "<scan:JobInfo><pwg:JobUri>1</pwg:JobUri><pwg:JobState>Canceled</pwg:JobState></scan:JobInfo></scan:Jobs>"
    "</scan:ScannerStatus>",
    headers=(("Upgrade", "TLS/1.0"), ("Accept-Encoding", "identity")),
)
