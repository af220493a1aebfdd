from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from inference.bundle import Bundle
from inference.document import Document, Pair
from inference.heads import Heads
from inference.predictor import Predictor
from inference.window_scorer import WindowScorer
from inference.windows import Windower, collate
from models.encoder import EncoderFamily
from models.network import WindowNetwork, tensors, torch_encode

from .samples import DEEDS, FILLER, OTHERS, RANK, TONE, TOPICS, assert_same_scores, document

THREE = "Russia praised Iran and condemned France on Monday."
TEXTS = (THREE, "The team won the cup.", f"{FILLER * 12}Japan attacked Moscow. {FILLER * 3}", "", f"{THREE} {THREE}")


@pytest.fixture(scope="module")
def mixed() -> list[Document]:
    """Articles of one window and of many, with pairs and without, and an empty one."""
    return [document(text, id=str(number)) for number, text in enumerate(TEXTS)]


@pytest.fixture(scope="module")
def scorer(network: WindowNetwork, windower: Windower) -> WindowScorer:
    return WindowScorer(windower, network.numpy_heads(), torch_encode(network.encoder))


def test_exchanging_source_and_target_exchanges_the_answers(scorer: WindowScorer):
    asked = document(THREE)
    turned = replace(asked, pairs=tuple(Pair(pair.sentence, pair.target, pair.source) for pair in asked.pairs))
    before, after = scorer.score([asked])[0].stances, scorer.score([turned])[0].stances
    opposite = [asked.pairs.index(pair) for pair in turned.pairs]
    assert len(asked.pairs) == 6
    np.testing.assert_allclose(after, before[opposite], atol=1e-6)
    assert np.abs(before - before[opposite]).max() > 1e-2


def test_neighbours_and_padding_do_not_change_a_score(scorer: WindowScorer, mixed: list[Document]):
    assert_same_scores(scorer.score(mixed), [scorer.score([one])[0] for one in mixed], 1e-5)
    assert_same_scores(scorer.score(mixed), scorer.score(mixed[::-1])[::-1], 1e-5)


def test_padding_does_not_change_a_window(network: WindowNetwork, windower: Windower):
    short, long = windower.windows(document(THREE)), windower.windows(document(FILLER * 3))
    batch, padded = (collate(windows, windower.settings.pad) for windows in (short, [*short, *long]))
    tokens = len(short[0].ids)
    assert len(long[0].ids) > tokens
    states = torch_encode(network.encoder)(padded)[: len(short), :tokens]
    np.testing.assert_allclose(states, torch_encode(network.encoder)(batch), atol=1e-5)
    with torch.inference_mode():
        alone, beside = (
            network.eval()(tensors(each, windower.settings.pad), network.specs) for each in (short, [*short, *long])
        )
    torch.testing.assert_close(beside["topics"][: len(short)], alone["topics"], rtol=0, atol=1e-5)
    torch.testing.assert_close(beside["stances"], alone["stances"], rtol=0, atol=1e-5)
    torch.testing.assert_close(beside[DEEDS.name][: len(short), :tokens], alone[DEEDS.name], rtol=0, atol=1e-5)


def test_an_article_is_scored_as_its_token_weighted_mean_state(
    network: WindowNetwork, windower: Windower, scorer: WindowScorer
):
    article = document(f"{THREE} {FILLER * 9}The team won the cup.")
    windows = windower.windows(article)
    lengths = [len(window.ids) for window in windows]
    assert len(set(lengths)) > 1
    with torch.inference_mode():
        states = [
            network.encoder(torch.tensor([window.ids])).last_hidden_state[0].mean(0) * length / sum(lengths)
            for window, length in zip(windows, lengths, strict=True)
        ]
        expected = network.eval().heads["topics"](torch.stack(states).sum(0)).numpy()
    np.testing.assert_allclose(scorer.score([article])[0].topics, expected, atol=1e-5)


def test_context_outside_the_sentence_reaches_its_pairs(scorer: WindowScorer):
    alone, framed = scorer.score([document(THREE), document(f"{THREE} Soldiers died in the battle.")])
    assert np.abs(alone.stances - framed.stances).max() > 1e-4


def test_onnx_agrees_with_torch_on_mixed_articles(exported: tuple[EncoderFamily, Bundle], mixed: list[Document]):
    family, bundle = exported
    predictor = Predictor(bundle, threads=1)
    assert_same_scores(predictor.score(mixed), family.score(mixed), 1e-4)
    assert_same_scores([predictor.score([one])[0] for one in mixed], family.score(mixed), 1e-4)


def test_onnx_agrees_with_torch_on_a_batch_without_pairs(exported: tuple[EncoderFamily, Bundle]):
    family, bundle = exported
    articles = [document(FILLER * 8), document("The team won the cup.")]
    scores = Predictor(bundle, threads=1).score(articles)
    assert [score.stances.shape for score in scores] == [(0, 3), (0, 3)]
    assert_same_scores(scores, family.score(articles), 1e-4)


def test_onnx_agrees_with_torch_on_every_head(exported: tuple[EncoderFamily, Bundle], mixed: list[Document]):
    family, bundle = exported
    found = Predictor(bundle, threads=1).score(mixed, others=True)
    assert_same_scores(found, family.score(mixed, others=True), 1e-4)
    assert [set(score.others) for score in found] == [{head.name for head in OTHERS}] * len(mixed)


def test_scoring_leaves_no_gradient_and_drops_nothing_out(network: WindowNetwork, windower: Windower):
    batch = collate(windower.windows(document(THREE)), windower.settings.pad)
    network.train()
    encode = torch_encode(network.encoder)
    scorer = WindowScorer(windower, network.numpy_heads(), encode)
    np.testing.assert_array_equal(encode(batch), encode(batch))
    once, again = (scorer.score([document(THREE)], others=True) for _ in range(2))
    assert_same_scores(once, again, 0)
    assert not network.encoder.training
    assert torch.is_grad_enabled()


def test_scoring_agrees_with_what_is_trained(network: WindowNetwork, windower: Windower, scorer: WindowScorer):
    """Of one window, so that the heads' mean is over the same tokens."""
    article = document(THREE)
    windows = windower.windows(article)
    with torch.inference_mode():
        expected = network.eval()(tensors(windows, windower.settings.pad), network.specs)
    (found,) = scorer.score([article], others=True)
    assert len(windows) == 1
    for scores, head in (
        (found.topics, "topics"), (found.others[TONE.name], TONE.name), (found.stances, "stances"),
        (found.others[RANK.name], RANK.name),
    ):  # fmt: skip
        np.testing.assert_allclose(scores, expected[head].numpy().reshape(scores.shape), atol=1e-5)
    np.testing.assert_allclose(found.others[DEEDS.name], expected[DEEDS.name][0, 1:-1].numpy(), atol=1e-5)


def test_only_the_heads_asked_for_are_read(network: WindowNetwork, windower: Windower):
    batch = tensors(windower.windows(document(THREE)), windower.settings.pad)
    assert list(network(batch, [RANK.name])) == [RANK.name]


def test_windows_without_pairs_have_no_scores_of_pairs(network: WindowNetwork, windower: Windower):
    batch = tensors(windower.windows(document("The team won the cup.")), windower.settings.pad)
    scores = network(batch, network.specs)
    assert scores["stances"].shape == (0, 3)
    assert scores["topics"].shape == (1, len(TOPICS))


def test_other_heads_are_scored_only_when_asked_for(scorer: WindowScorer, mixed: list[Document]):
    plain, whole = scorer.score(mixed), scorer.score(mixed, others=True)
    assert all(not score.others and score.tokens.shape == (0, 3) for score in plain)
    for article, one, other in zip(mixed, plain, whole, strict=True):
        np.testing.assert_array_equal(one.topics, other.topics)
        np.testing.assert_array_equal(one.stances, other.stances)
        shapes = {head: scores.shape for head, scores in other.others.items()}
        tokens, pairs = len(other.tokens), len(article.pairs)
        assert shapes == {TONE.name: (3,), RANK.name: (pairs, 2), DEEDS.name: (tokens, 5)}


def test_tags_are_of_every_token_in_its_place(scorer: WindowScorer, windower: Windower):
    article = document(f"{THREE} {FILLER * 9}", "Fans sang.")
    (score,) = scorer.score([article], others=True)
    words = [article.article.field("text" if place else "title")[a:b] for place, a, b in score.tokens]
    assert len(windower.windows(article)) > 2
    assert words == re.findall(r"\w+|[^\w\s]", f"Fans sang. {THREE} {FILLER * 9}")


def test_pairs_that_no_window_holds_together_are_neutral_where_a_head_knows_that(scorer: WindowScorer):
    (score,) = scorer.score([document(f"Russia {'rained ' * 60} Iran .")], others=True)
    assert score.stances.tolist() == [[0.0, -30.0, -30.0]] * 2
    assert score.others[RANK.name].tolist() == [[0.0, 0.0]] * 2


def test_a_bundle_without_topics_scores_none(network: WindowNetwork, windower: Windower):
    heads = [head for head in network.specs.values() if head.name != "topics"]
    scorer = WindowScorer(windower, Heads(heads, network.head_weights()), torch_encode(network.encoder))
    assert scorer.score([document(THREE)])[0].topics.shape == (0,)
