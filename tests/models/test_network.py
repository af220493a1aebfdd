from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from inference.bundle import Bundle
from inference.document import Document, Pair
from inference.predictor import Predictor
from inference.window_scorer import WindowScorer
from inference.windows import Windower, collate
from models.encoder import EncoderFamily
from models.network import WindowNetwork, tensors, torch_run

from .samples import FILLER, TOPICS, assert_same_scores, document

THREE = "Russia praised Iran and condemned France on Monday."
TEXTS = (THREE, "The team won the cup.", f"{FILLER * 12}Japan attacked Moscow. {FILLER * 3}", "", f"{THREE} {THREE}")


@pytest.fixture(scope="module")
def mixed() -> list[Document]:
    """Articles of one window and of many, with pairs and without, and an empty one."""
    return [document(text, id=str(number)) for number, text in enumerate(TEXTS)]


@pytest.fixture(scope="module")
def scorer(network: WindowNetwork, windower: Windower) -> WindowScorer:
    return WindowScorer(windower, len(TOPICS), torch_run(network))


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
    run = torch_run(network)
    topics, stances = run(collate(short, windower.settings.pad))
    padded_topics, padded_stances = run(collate([*short, *long], windower.settings.pad))
    assert len(long[0].ids) > len(short[0].ids)
    np.testing.assert_allclose(padded_topics[: len(topics)], topics, atol=1e-5)
    np.testing.assert_allclose(padded_stances, stances, atol=1e-5)


def test_an_article_is_scored_as_its_token_weighted_mean_state(
    network: WindowNetwork, windower: Windower, scorer: WindowScorer
):
    article = document(f"{THREE} {FILLER * 9}The team won the cup.")
    windows = windower.windows(article)
    lengths = [len(window.ids) for window in windows]
    assert len(set(lengths)) > 1
    with torch.inference_mode():
        states = [
            network.states(**tensors(collate([window], windower.settings.pad)))[0][0] * length / sum(lengths)
            for window, length in zip(windows, lengths, strict=True)
        ]
        expected = network.topic_head(torch.stack(states).sum(0)).numpy()
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


def test_scoring_leaves_no_gradient_and_drops_nothing_out(network: WindowNetwork, windower: Windower):
    batch = collate(windower.windows(document(THREE)), windower.settings.pad)
    network.train()
    run = torch_run(network)
    np.testing.assert_array_equal(run(batch)[1], run(batch)[1])
    assert not network.training
    assert torch.is_grad_enabled()
