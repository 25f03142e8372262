"""PyTorch's captioners become jaxgen's and back: the same words, probabilities to 1e-5.

The recurrent ones are `nn.RNN` and `nn.LSTM`, the Transformer PyTorch's own
`nn.TransformerDecoder`, which is the course's with other names.
"""

import importlib.util
import json
import shutil

import numpy as np
import pytest

import jaxgen
from jaxgen import settings
from jaxgen.captioning.captioners.transformer import positional_encoding
from jaxgen.captioning.importing import words_of
from jaxgen.commands import caption, import_
from jaxgen.data.captions.vocabulary import SPECIAL
from jaxgen.errors import JaxgenError
from jaxgen.training.exporting import folder as exported_folder
from tests.captioning.test_step import VOCABULARY, WIDTH, folder

torch = pytest.importorskip("torch", reason="PyTorch is not there")
nn = torch.nn
torch.set_num_threads(1)  # more would wait for each other longer than they compute

WORDS = [*SPECIAL, *"a cat sees the dog and runs".split()]
KNOWN, FEATURES, LENGTH, ROWS = len(WORDS), 5, 7, 6
__all__ = ["folder"]  # a fixture


class Recurrent(nn.Module):
    def __init__(self, cells, words=KNOWN, features=FEATURES):
        super().__init__()
        self.words = nn.Embedding(words, 4)
        self.rnn = cells(4, 6, batch_first=True)
        self.first = nn.Linear(features, 6)
        self.out = nn.Linear(6, words)

    def forward(self, features, captions):
        h = self.first(features)[None]
        carry = (h, torch.zeros_like(h)) if isinstance(self.rnn, nn.LSTM) else h
        return self.out(self.rnn(self.words(captions), carry)[0])


class Attentive(nn.Module):
    def __init__(self):
        super().__init__()
        self.visual_projection = nn.Linear(FEATURES, 12)
        self.embedding = nn.Embedding(len(WORDS), 12, padding_idx=0)
        layer = nn.TransformerDecoderLayer(12, 3, 9, batch_first=True)
        self.transformer = nn.TransformerDecoder(layer, 2)
        self.output = nn.Linear(12, len(WORDS))
        table = torch.from_numpy(positional_encoding(LENGTH, 12)).float()
        self.register_buffer("positions_TD", table)

    def forward(self, features, captions):
        memory = self.visual_projection(features)[:, None]
        x = self.embedding(captions) + self.positions_TD[: captions.shape[1]]
        mask = nn.Transformer.generate_square_subsequent_mask(captions.shape[1])
        return self.output(self.transformer(x, memory, tgt_mask=mask))


MODELS = {
    "caption_rnn": lambda: Recurrent(nn.RNN),
    "caption_lstm": lambda: Recurrent(nn.LSTM),
    "caption_transformer": Attentive,
}


def trained(make):
    torch.manual_seed(2)
    model = make().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * (1.0 if parameter.ndim > 1 else 0.3))
        if isinstance(model, Attentive):  # or its captions would be empty
            model.output.bias[2] = -4.0
    return model


def features():
    return np.random.default_rng(1).normal(size=(ROWS, FEATURES)).astype(np.float32)


def greedy(model, rows):
    """The best word each time but NULL and START, until END."""
    words = torch.full((len(rows), 1), 1)
    for _ in range(LENGTH):
        with torch.no_grad():
            scores = model(rows, words)[:, -1]
        scores[:, :2] = -torch.inf
        words = torch.cat([words, scores.argmax(1, keepdim=True)], dim=1)
    sentences = []
    for indices in words[:, 1:].tolist():
        stop = indices.index(2) if 2 in indices else LENGTH
        sentences.append(" ".join(WORDS[index] for index in indices[:stop]))
    return sentences


@pytest.fixture
def run(tmp_path):
    """Import a state dict as an experiment's; returns the loaded model."""
    (tmp_path / "words.json").write_text(json.dumps({"idx_to_word": WORDS}))

    def imported(state, name, *flags):
        torch.save(state, tmp_path / "F.pth")
        heads = ("--captioner.heads", "3") if name == "caption_transformer" else ()
        given = ("--torch", tmp_path / "F.pth", "--as", name, "--out", tmp_path / "in", *heads)
        given = (*given, "--vocabulary", tmp_path / "words.json", "--max-length", LENGTH, *flags)
        assert import_.main([str(flag) for flag in given]) == 0
        return jaxgen.load(tmp_path / "in")

    return imported


@pytest.mark.parametrize("name", MODELS)
def test_every_captioner_writes_the_same_both_ways(name, run, tmp_path):
    theirs = trained(MODELS[name])
    model = run(theirs.state_dict(), name)
    rows = torch.from_numpy(features())
    sentences = greedy(theirs, rows)
    assert len(set(sentences)) > 1
    assert model.caption(features()) == sentences

    given = np.random.default_rng(4).integers(0, len(WORDS), (ROWS, LENGTH)).astype(np.int32)
    ours = model.module.apply({"params": model.params}, features(), given)
    with torch.no_grad():
        expected = theirs(rows, torch.from_numpy(given).long()).numpy()
    size = np.abs(expected).max()
    np.testing.assert_allclose(ours, expected, atol=1e-5 * max(1, size))

    exported_folder.write(model, tmp_path / "out", exported_folder.Extras(torch=True))
    path = tmp_path / "out" / "torch_captioner.py"
    spec = importlib.util.spec_from_file_location("torch_captioner", path)
    back = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(back)
    again = back.load()
    with torch.no_grad():
        scores = again(rows, torch.from_numpy(given).long()).numpy()
    np.testing.assert_allclose(scores, expected, atol=1e-5 * max(1, size))
    assert greedy(again, rows) == sentences
    assert back.check() < 1e-4
    if name == "caption_transformer":  # whose names are the course's, not those of `theirs`
        shutil.rmtree(tmp_path / "in")
        assert run(again.state_dict(), name).caption(features()) == sentences


def test_the_courses_own_arrays_are_read(run):
    theirs = trained(MODELS["caption_lstm"])
    model = run(theirs.state_dict(), "caption_lstm")
    arrays = {name: torch.from_numpy(np.array(array)) for name, array in model.params.items()}
    assert set(arrays) == {"W_proj", "b_proj", "W_embed", "Wx", "Wh", "b", "W_vocab", "b_vocab"}
    shutil.rmtree(model.config.workdir)
    assert run(arrays, "caption_lstm").caption(features()) == model.caption(features())


def test_the_courses_data_measure_what_was_imported(folder, tmp_path):
    """With the course's vocabulary as it is, and its files in a folder that the model is told."""
    theirs = trained(lambda: Recurrent(nn.LSTM, len(VOCABULARY), WIDTH))
    torch.save(theirs.state_dict(), tmp_path / "captioner.pth")
    given = ["--torch", tmp_path / "captioner.pth", "--as", "caption_lstm", "--data", "coco"]
    given += ["--vocabulary", folder / "coco2014_vocab.json", "--max-length", 7]
    given += ["--data.dir", folder, "--out", tmp_path / "in"]
    with settings.flags_spelled():  # as on the command line
        assert import_.main([str(flag) for flag in given]) == 0
    assert str(folder) not in (tmp_path / "in" / "config.json").read_text()
    with pytest.raises(JaxgenError, match=r"came without the data .*give data.dir"):
        jaxgen.load(tmp_path / "in").evaluate(java=False)
    figures, table = jaxgen.load(tmp_path / "in", data_dir=str(folder)).evaluate(java=False)
    assert 0 <= figures["bleu_1"] <= 1
    assert "BLEU" in table
    flags = [str(tmp_path / "in"), "--data.dir", str(folder), "--out", str(tmp_path / "c.png")]
    assert caption.main([*flags, "--n", "2"]) == 0
    assert (tmp_path / "c.png").is_file()


def test_what_is_no_such_captioner_is_refused(run, tmp_path):
    lstm = trained(MODELS["caption_lstm"]).state_dict()
    transformer = trained(MODELS["caption_transformer"]).state_dict()
    for state, name, words, *flags in (
        (lstm, "caption_rnn", "that is lstm of width 6, not rnn"),
        (lstm, "caption_transformer", "the file has no embedding"),
        (transformer, "caption_lstm", "a recurrent captioner is an nn.RNN"),
        (transformer, "caption_transformer", "5 do not divide", "--captioner.heads", "5"),
        (transformer, "caption_transformer", "knows 7 positions", "--max-length", "9"),
        (lstm, "caption_lstm", "leave --tokens out", "--tokens", "4"),
        (
            transformer | {"positions_TD": torch.zeros(LENGTH, 12)},
            "caption_transformer",
            "the positions in the file are others",
        ),
        (
            lstm | {"rnn.weight_ih_l1": torch.zeros(24, 6)},
            "caption_lstm",
            "of one layer and one direction",
        ),
        (
            transformer | {"output.bias": torch.zeros(3)},
            "caption_transformer",
            "does not fit the configuration: output.bias",
        ),
    ):
        with pytest.raises(JaxgenError, match=words):
            run(state, name, *flags)
    (tmp_path / "words.json").write_text(json.dumps(WORDS[:-1]))
    with pytest.raises(JaxgenError, match="knows 11 words, and the vocabulary has 10"):
        run(lstm, "caption_lstm")


def test_vocabularies_in_all_their_forms(tmp_path):
    path = tmp_path / "words.json"
    by_word = {word: index for index, word in enumerate(WORDS)}
    for value in (
        WORDS,
        {"idx_to_word": WORDS, "word_to_idx": by_word},
        {"idx_to_word": {str(index): word for index, word in enumerate(WORDS)}},
        {"word_to_idx": by_word},
        by_word,
    ):
        path.write_text(json.dumps(value))
        assert words_of(path) == tuple(WORDS)
    for value in ([], {}, [1], {"a": 0, "b": 7}, "words", {"idx_to_word": {"1": "a"}}):
        path.write_text(json.dumps(value))
        with pytest.raises(JaxgenError, match="no words with indices from 0 on"):
            words_of(path)
    path.write_text("{")
    with pytest.raises(JaxgenError, match="is not JSON"):
        words_of(path)
