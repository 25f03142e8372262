"""What the page of a captioner shows for a picture and settings; no Gradio needed."""

import html
import re

import numpy as np
import pytest
from PIL import Image

from jaxgen.captioning.one_caption import Way
from jaxgen.captioning.photographs import PhotographCaptioner
from jaxgen.commands.demos.captions import CaptionPlayer
from jaxgen.errors import JaxgenError
from tests.commands.demos import models
from tests.commands.demos.test_samples import pictures
from tests.commands.test_caption import SMALL, folder, restored

__all__ = ["folder"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("scenes")


@pytest.fixture(scope="module")
def trained(place):
    return models.captioner(place)


@pytest.fixture(scope="module")
def player(trained):
    return CaptionPlayer(trained)


def sentence(answer):
    return html.unescape(re.search('<p class="sentence">(.*?)</p>', answer)[1])


def test_its_own_pictures_are_captioned_as_the_model_does(trained, player, capsys):
    assert len(player.pictures) == 2  # the third is not there
    assert player.takes_photographs
    for number in range(2):
        answer = player.bundled(number, Way(beam=2))
        [expected] = trained.caption(models.SCENES[number : number + 1], beam=2)
        assert sentence(answer) == expected
        (_, _, seen), *words = pictures(answer)
        np.testing.assert_array_equal(np.asarray(seen), models.SCENES[number])
        assert [told for told, _, _ in words] == [
            html.escape(f"where {word!r} looked") for word in expected.split()
        ]
    assert "The data say: a red &lt;b&gt;7&lt;/b&gt;" in player.bundled(0, Way())
    with pytest.raises(JaxgenError, match="there is no picture 2"):
        player.bundled(2, Way())


def test_an_uploaded_picture_is_captioned_as_the_command_does(trained, player, tmp_path):
    noise = np.random.default_rng(2).integers(0, 256, (40, 30, 3)).astype(np.uint8)
    picture = tmp_path / "a.png"
    Image.fromarray(noise).save(picture)
    photographs = PhotographCaptioner(trained)
    [expected] = photographs.caption(photographs.prepared(picture)[None]).sentences
    assert sentence(player.uploaded(picture.read_bytes(), Way())) == expected
    Image.fromarray(noise).convert("CMYK").save(tmp_path / "b.jpg")
    assert sentence(player.uploaded((tmp_path / "b.jpg").read_bytes(), Way()))


def test_a_broken_upload_gets_a_sentence(player, tmp_path):
    for name, words in models.broken_files(tmp_path).items():
        with pytest.raises(JaxgenError, match=f"^This file cannot be captioned: .*{words}"):
            player.uploaded((tmp_path / name).read_bytes(), Way())


@pytest.fixture(scope="module")
def of_features(folder):
    return restored(folder, SMALL, "vector")


def test_without_an_encoder_there_are_its_own_pictures_alone(of_features):
    player = CaptionPlayer(of_features)
    assert not player.takes_photographs
    assert len(player.pictures) == 1
    answer = player.bundled(0, Way())
    assert len(pictures(answer)) == 1  # it has one token, at which every word looks
    assert "looked" not in answer
    with pytest.raises(JaxgenError, match="takes none but its own pictures"):
        player.uploaded(b"", Way())


def test_with_neither_pictures_nor_an_encoder_both_reasons_are_told(of_features, monkeypatch):
    def gone(n):
        raise JaxgenError("the data are gone")

    monkeypatch.setattr(of_features, "pictured", gone)
    with pytest.raises(JaxgenError, match=r"nothing that .* not trained on features.*data are go"):
        CaptionPlayer(of_features)


def test_without_its_data_there_are_uploads_alone(trained, monkeypatch, capsys):
    def gone(n):
        raise JaxgenError("the data are gone")

    monkeypatch.setattr(trained, "pictured", gone)
    assert not CaptionPlayer(trained).pictures
    assert "there are no pictures to choose from: the data are gone" in capsys.readouterr().err
