from __future__ import annotations

from pathlib import Path

import pytest

from dwtsvc import profiles
from dwtsvc.errors import BadArguments, BadConfiguration
from dwtsvc.model import Area, Mode, Source
from dwtsvc.paths import Paths
from dwtsvc.profiles import Profile

FOREIGN = "; ports of the users\n[ada]\nport = 18700\n"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.from_environment({"DWTSVC_HOME": str(tmp_path)})


def test_a_saved_profile_is_read_back_with_none_for_what_it_does_not_say(paths: Paths) -> None:
    values = {"source": "duplex", "mode": "gray", "resolution": "300", "area": "0,10,100.5,200", "option.swcrop": "yes"}
    saved = profiles.save(paths, "letters", values)
    assert saved == Profile(
        name="letters",
        source=Source.DUPLEX,
        mode=Mode.GRAY,
        resolution=300,
        area=Area(left=0, top=10, width=100.5, height=200),
        options=(("swcrop", "yes"),),
    )
    assert profiles.profile(paths, "Letters ") == saved
    assert saved.shown() == values
    assert paths.profiles_file.stat().st_mode & 0o777 == 0o600


def test_saving_again_replaces_what_it_said_and_nothing_else(paths: Paths) -> None:
    paths.create(paths.config)
    paths.profiles_file.write_text(
        FOREIGN + "[Profile  Letters]\nmode = gray\nsize = a4\n# mine\n[profile b]\npages = 1\n"
    )
    profiles.save(paths, "letters", {"size": "a5"})
    assert (
        paths.profiles_file.read_text() == FOREIGN + "[Profile  Letters]\nsize = a5\n# mine\n[profile b]\npages = 1\n"
    )
    assert profiles.names(paths) == ["Letters", "b"]


def test_a_deleted_profile_is_gone_and_the_rest_stays(paths: Paths) -> None:
    paths.create(paths.config)
    paths.profiles_file.write_text(FOREIGN)
    profiles.save(paths, "a", {"pages": "1"})
    profiles.save(paths, "b", {"pages": "2"})
    profiles.delete(paths, "A")
    assert profiles.names(paths) == ["b"]
    assert paths.profiles_file.read_text() == FOREIGN + "\n[profile b]\npages = 2\n"


def test_an_unknown_profile_is_told_with_the_names_there_are(paths: Paths) -> None:
    for use in (profiles.profile, profiles.delete):
        with pytest.raises(BadArguments, match="no profile 'x'") as caught:
            use(paths, "x")
        assert "profile save" in caught.value.hint
    assert not paths.config.exists()
    profiles.save(paths, "a", {"pages": "1"})
    profiles.save(paths, "b c", {"pages": "1"})
    with pytest.raises(BadArguments) as caught:
        profiles.profile(paths, "x")
    assert caught.value.hint == "Profiles are: a, b c."


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("a", {"mode": "sepia"}, "color, gray"),
        ("a", {"resolution_": "300"}, "Did you mean resolution?"),
        ("a", {"option.": "1"}, "option.NAME"),
        ("a", {"area": "1,2,3"}, "LEFT,TOP,WIDTH,HEIGHT"),
        ("a", {"area": "0,0,5,nan"}, "LEFT,TOP,WIDTH,HEIGHT"),
        ("a", {"area": "-1,0,5,5"}, "LEFT,TOP,WIDTH,HEIGHT"),
        ("a", {"area": "0,0,nan,5"}, "LEFT,TOP,WIDTH,HEIGHT"),
        ("a", {}, "option.NAME"),
        ("a]b", {"pages": "1"}, "letters"),
        (" ", {"pages": "1"}, "letters"),
        ("a\nb", {"pages": "1"}, "letters"),
    ],
)
def test_a_wrong_profile_is_refused_before_anything_is_written(
    paths: Paths, name: str, values: dict[str, str], said: str
) -> None:
    with pytest.raises(BadArguments) as caught:
        profiles.save(paths, name, values)
    assert said in caught.value.hint
    assert not paths.config.exists()


@pytest.mark.parametrize(
    ("line", "said"), [("mod = gray", "Did you mean mode?"), ("pages = 0", "allowed: a whole number, 1 to 1000000")]
)
def test_a_fault_in_the_file_is_told_with_its_line(paths: Paths, line: str, said: str) -> None:
    paths.create(paths.config)
    paths.profiles_file.write_text(f"{FOREIGN}[profile a]\n{line}\n[profile b]\npages = 1\n")
    with pytest.raises(BadConfiguration) as caught:
        profiles.profile(paths, "a")
    assert caught.value.what.startswith(f"{paths.profiles_file}:5: ")
    assert said in f"{caught.value} {caught.value.hint}"
    with pytest.raises(BadConfiguration):
        profiles.check(paths.profiles_file)
    assert profiles.profile(paths, "b").pages == 1
