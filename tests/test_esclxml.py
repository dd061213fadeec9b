"""eSCL documents: what devices write in many ways becomes the same records, and records survive the way and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dwtsvc import esclxml
from dwtsvc.errors import BadInput
from dwtsvc.esclxml import JPEG, PDF, PNG, Description, Input, JobStatus, Status, Ticket, Tuning
from dwtsvc.model import Area, Mode, Range, Source

UUID = "4509a320-00a0-008f-00b6-002507510eca"
GLASS = Input(
    source=Source.FLATBED,
    modes=(Mode.COLOR, Mode.GRAY, Mode.LINEART),
    formats=(PDF, JPEG, PNG),
    resolutions=(75, 300, 600),
    max_width=215.9,
    max_height=297.01,
)
FEEDER = Input(
    source=Source.FEEDER,
    modes=(Mode.GRAY,),
    formats=(JPEG,),
    resolutions=Range(minimum=50, maximum=600, step=50),
    max_width=215.9,
    max_height=355.6,
)
TOLD = Description(
    version="2.63",
    vendor="Acme",
    model="Paperlight 300",
    serial="A1",
    uuid=UUID,
    inputs=(GLASS, FEEDER),
    tunings=(Tuning(name="brightness", minimum=-100, maximum=100, normal=0, step=5),),
)

# As some devices do it: profiles by reference, other prefixes, a "urn:uuid:", and a duplex unit without words about it.
BY_REFERENCE = b"""<?xml version="1.0"?>
<e:ScannerCapabilities xmlns:e="http://schemas.hp.com/imaging/escl/2011/05/03" xmlns:p="http://www.pwg.org/schemas/2010/12/sm">
 <p:Version>2.0</p:Version><p:MakeAndModel>ACME Copier</p:MakeAndModel><e:Manufacturer>Acme</e:Manufacturer>
 <e:UUID>urn:uuid:4509A320-00A0-008F-00B6-002507510ECA</e:UUID>
 <e:SettingProfiles>
  <e:SettingProfile name="0">
   <e:ColorModes><e:ColorMode>Grayscale8</e:ColorMode><e:ColorMode>RGB48</e:ColorMode><e:ColorMode>RGB24</e:ColorMode></e:ColorModes>
   <e:SupportedResolutions>
    <e:ResolutionRange>
     <e:XResolutionRange><e:Min>100</e:Min><e:Max>400</e:Max><e:Normal>200</e:Normal><e:Step>100</e:Step></e:XResolutionRange>
     <e:YResolutionRange><e:Min>100</e:Min><e:Max>400</e:Max><e:Normal>200</e:Normal><e:Step>100</e:Step></e:YResolutionRange>
    </e:ResolutionRange>
   </e:SupportedResolutions>
  </e:SettingProfile>
 </e:SettingProfiles>
 <e:Platen><e:PlatenInputCaps><e:MaxWidth>2550</e:MaxWidth><e:MaxHeight>4200</e:MaxHeight></e:PlatenInputCaps></e:Platen>
 <e:Adf>
  <e:AdfSimplexInputCaps>
   <e:MaxWidth>2550</e:MaxWidth><e:MaxHeight>4200</e:MaxHeight>
   <e:SettingProfiles><e:SettingProfile ref="0"/></e:SettingProfiles>
  </e:AdfSimplexInputCaps>
  <e:AdfOptions><e:AdfOption>Duplex</e:AdfOption></e:AdfOptions>
 </e:Adf>
</e:ScannerCapabilities>"""


def test_a_description_survives_the_way_into_a_document_and_back() -> None:
    assert esclxml.description(esclxml.description_document(TOLD)) == TOLD


def test_a_feeder_has_options_though_there_are_none() -> None:
    assert b"<scan:AdfOptions />" in esclxml.description_document(TOLD)  # esclkt, of ScanBridge, takes none without


def test_a_status_survives_the_way_into_a_document_and_back() -> None:
    job = JobStatus(path="/eSCL/ScanJobs/1", state="Canceled", reasons=("JobCanceledByUser",), completed=2, age=7)
    told = Status(state="Idle", feeder="ScannerAdfJam", jobs=(job,), version="2.63")
    assert esclxml.status(esclxml.status_document(told)) == told
    assert esclxml.status(esclxml.status_document(Status(state="Idle"))) == Status(state="Idle")


@given(
    source=st.sampled_from([Source.FLATBED, Source.FEEDER, Source.DUPLEX]),
    mode=st.sampled_from(Mode),
    resolution=st.integers(0, 19200),
    units=st.tuples(st.integers(0, 2000), st.integers(0, 2000), st.integers(1, 3000), st.integers(1, 3000)),
    brightness=st.none() | st.integers(-1000, 1000),
)
def test_a_ticket_survives_the_way_into_a_document_and_back(
    source: Source, mode: Mode, resolution: int, units: tuple[int, int, int, int], brightness: int | None
) -> None:
    left, top, width, height = (each / esclxml.UNITS for each in units)
    asked = Ticket(
        source=source,
        mode=mode,
        resolution=resolution,
        format=PNG,
        area=Area(left=left, top=top, width=width, height=height),
        tunings=() if brightness is None else (("brightness", brightness),),
    )
    assert esclxml.ticket(esclxml.ticket_document(asked)) == asked


def test_profiles_by_reference_ranges_and_unsaid_duplex_are_understood() -> None:
    told = esclxml.description(BY_REFERENCE)
    assert (told.vendor, told.model, told.uuid) == ("Acme", "Copier", UUID)
    feeder, duplex = told.inputs  # the glass names no colours, so nothing can be asked of it
    assert feeder.modes == (Mode.COLOR, Mode.GRAY)
    assert feeder.resolutions == Range(minimum=100, maximum=400, step=100)
    assert feeder.formats == (JPEG,)
    assert (duplex.source, duplex.max_height) == (Source.DUPLEX, 355.6)


@pytest.mark.parametrize(
    "settings",
    [
        b"<ScanSettings/>",
        b"<ScanSettings><ScanRegions><ScanRegion><Width>0</Width></ScanRegion></ScanRegions></ScanSettings>",
        b"<ScanSettings><XResolution>99999999</XResolution><Brightness>bright</Brightness></ScanSettings>",
    ],
)
def test_what_settings_leave_out_or_get_wrong_has_a_default_or_is_left_to_the_scanner(settings: bytes) -> None:
    assert esclxml.ticket(settings) == Ticket(source=Source.FLATBED, mode=Mode.AUTO, resolution=0, format=JPEG)


def test_a_colour_mode_that_nobody_knows_is_refused() -> None:
    with pytest.raises(BadInput, match="RGB99"):
        esclxml.ticket(b"<ScanSettings><ColorMode>RGB99</ColorMode></ScanSettings>")


def test_names_are_one_printable_line_of_128_characters() -> None:
    told = esclxml.description(BY_REFERENCE.replace(b"ACME Copier", "A\u202eB\nC\u0085D ".encode() + b"x" * 500))
    assert told.model.startswith("A B C D xxx")
    assert len(told.model) == 128


@given(st.binary(max_size=300))
def test_any_bytes_are_a_document_or_bad_input(document: bytes) -> None:
    for read in (esclxml.description, esclxml.status, esclxml.ticket):
        with pytest.raises(BadInput):
            read(document)


@given(st.integers(0, len(BY_REFERENCE)), st.binary(max_size=8))
def test_any_damage_to_a_description_is_a_description_or_bad_input(place: int, rubbish: bytes) -> None:
    damaged = BY_REFERENCE[:place] + rubbish + BY_REFERENCE[place + len(rubbish) :]
    try:
        told = esclxml.description(damaged)
    except BadInput:
        return
    assert told.inputs
    assert told.model.isprintable()
