from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Metaspace

from inference.decode import Floats
from inference.document import UNNAMED, Document, Pair, Sentence
from inference.heads import ACTORS, Head, actor_head
from inference.schema import Article
from inference.scorer import Scores
from inference.tags import Span
from models.base import UNLABELLED, Example, Labels
from models.spans import found_spans, true_spans
from training.benchmarks import class_metrics, dse_metrics, root_metrics, tag_metrics
from training.field import QUAD_OF_ROOT, field_metrics
from training.heads import AW, CAMEO, CAMEO_NER, DSE, PLOVER, PLOVER_QUAD

NEUTRAL, SUPPORT, OPPOSE = np.eye(3) * 5
# Classes of both directions by DSE's class: no leaning, then positive and negative ones of the first and the second.
FIVE = np.array([(0, 0), (1, 0), (0, 1), (2, 0), (0, 2)])


# DSE


@given(logits=arrays(np.float64, (2, 7, 3), elements=st.floats(-4, 4, width=16)), data=st.data())
def test_one_of_five_classes_is_decided_by_the_product_of_both_directions(logits: Floats, data: st.DataObject):
    truth = np.array([FIVE[data.draw(st.integers(0, 4))] for _ in range(7)])
    one, other = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    chances = np.array([[p[a] * q[b] for a, b in FIVE] for p, q in zip(one, other, strict=True)])
    first, second = np.sort(chances, axis=1)[:, -1:-3:-1].T
    clear = first - second > 1e-9  # a tie is decided by rounding
    right = (FIVE[chances.argmax(axis=1)] == truth).all(axis=1)
    found = dse_metrics(logits[0][clear], logits[1][clear], truth[clear]) if clear.any() else {"micro_f1": 0}
    assert found["micro_f1"] == pytest.approx(right[clear].mean() if clear.any() else 0)


def test_two_leanings_at_once_are_no_class():
    # Either alone is likelier than none, and the second is surer.
    forward, backward = np.array([[0.0, 1.0, 0.0]]), np.array([[0.0, 0.0, 2.0]])
    assert dse_metrics(forward, backward, np.array([[0, 2]]))["micro_f1"] == 1
    assert dse_metrics(forward, backward, np.array([[1, 0]]))["micro_f1"] == 0


def test_figures_of_dse_by_hand():
    forward = np.array([NEUTRAL, SUPPORT, NEUTRAL, OPPOSE])
    backward = np.array([NEUTRAL, NEUTRAL, SUPPORT, NEUTRAL])
    found = dse_metrics(forward, backward, np.array([(0, 0), (1, 0), (1, 0), (2, 0)]))
    # Class 1 is found once of two times, class 2 is found for the other.
    assert found["micro_f1"] == pytest.approx(3 / 4)
    assert found["macro_f1"] == pytest.approx((1 + 2 / 3 + 0 + 1) / 4)
    assert found["direction_errors"] == pytest.approx(1 / 3)
    assert found["support"] == 4


@pytest.mark.parametrize(
    ("found", "truth", "expected"),
    [
        ((SUPPORT, NEUTRAL), (0, 1), 1), ((NEUTRAL, SUPPORT), (1, 0), 1), ((OPPOSE, NEUTRAL), (0, 2), 1),
        ((NEUTRAL, OPPOSE), (2, 0), 1), ((SUPPORT, NEUTRAL), (1, 0), 0), ((SUPPORT, NEUTRAL), (0, 2), 0),
        ((SUPPORT, NEUTRAL), (2, 0), 0), ((SUPPORT, NEUTRAL), (0, 0), 0), ((NEUTRAL, NEUTRAL), (1, 0), 0),
    ],
)  # fmt: skip
def test_a_direction_error_is_a_leaning_that_is_right_the_other_way_round(
    found: tuple[Floats, Floats], truth: tuple[int, int], expected: int
):
    metrics = dse_metrics(found[0][None], found[1][None], np.array([truth]))
    assert metrics["direction_errors"] == expected


# Classes


def test_classes_by_hand():
    scores = np.eye(3)[[0, 0, 1, 1]]
    found = class_metrics(scores, np.array([0, 1, 1, 2]))
    # 0: one of two found is right, all there are; 1: one of two found, one of two there are; 2: none.
    assert found == pytest.approx({"micro_f1": 1 / 2, "macro_f1": (2 / 3 + 1 / 2 + 0) / 3, "support": 4})


def test_quad_codes_are_implied_by_the_sum_over_their_roots():
    quad_of = [0, 3, 3]
    scores = np.log([[0.4, 0.3, 0.3], [0.8, 0.1, 0.1], [0.1, 0.2, 0.7]])
    found = root_metrics(scores, np.array([1, 0, 2]), np.array([3, 0, 3]), quad_of)
    # The likeliest root of the first is of quad 0, and quad 3 is likelier.
    assert found["micro_f1"] == pytest.approx(2 / 3)
    assert found["macro_f1"] == pytest.approx((2 / 3 + 0 + 1) / 3)
    assert found["quad_macro_f1"] == found["binary_macro_f1"] == 1


def test_quad_codes_are_measured_as_the_corpus_gives_them():
    scores = np.log([[0.9, 0.1], [0.1, 0.9]])
    found = root_metrics(scores, np.array([0, 1]), np.array([1, 3]), [0, 3])
    assert found["macro_f1"] == 1
    assert found["quad_macro_f1"] == pytest.approx(1 / 3)  # quads 0, 1 and 3: only the last is right
    assert found["binary_macro_f1"] == 1


def test_conflict_is_told_from_cooperation_by_the_sum_over_quads():
    scores = np.log([[0.4, 0.0001, 0.3, 0.3], [0.3, 0.3, 0.4, 0.0001], [0.1, 0.1, 0.1, 0.7]])
    truth = np.array([3, 0, 3])
    found = root_metrics(scores, truth, truth, range(4))
    # Likeliest are 0, 2 and 3; conflict is likelier in the first and the third.
    assert found["quad_macro_f1"] == pytest.approx((0 + 0 + 2 / 3) / 3)
    assert found["binary_macro_f1"] == 1


def test_every_root_of_plover_has_its_quad():
    quads = dict(zip(PLOVER.labels, QUAD_OF_ROOT, strict=True))
    assert (quads["AGREE"], quads["AID"], quads["REQUEST"], quads["ASSAULT"]) == (0, 1, 2, 3)
    assert set(QUAD_OF_ROOT) == {0, 1, 2, 3}


# Tags


def test_the_example_of_seqeval():
    # true: O O O B-MISC I-MISC I-MISC OUT, B-PER I-PER O; found: O O B-MISC I-MISC I-MISC I-MISC OUT, B-PER I-PER O.
    truth: list[list[Span]] = [[(1, 3, 6, "MISC")], [(1, 0, 2, "PER")]]
    found: list[list[Span]] = [[(1, 2, 6, "MISC")], [(1, 0, 2, "PER")]]
    metrics = tag_metrics(found, truth)
    labels = metrics.pop("labels")
    assert metrics == pytest.approx({"precision": 0.5, "recall": 0.5, "micro_f1": 0.5, "support": 2})
    assert labels["MISC"] == pytest.approx({"precision": 0, "recall": 0, "micro_f1": 0, "support": 1})
    assert labels["PER"] == pytest.approx({"precision": 1, "recall": 1, "micro_f1": 1, "support": 1})


def test_spans_count_with_their_labels_and_by_their_texts():
    truth: list[list[Span]] = [[(1, 0, 1, "S"), (1, 2, 3, "T"), (1, 4, 5, "T")], []]
    found: list[list[Span]] = [[(1, 0, 1, "T"), (1, 2, 3, "T")], [(1, 4, 5, "T")]]
    metrics = tag_metrics(found, truth)
    assert metrics["precision"] == pytest.approx(1 / 3)
    assert metrics["recall"] == pytest.approx(1 / 3)
    assert metrics["labels"]["T"] == pytest.approx(
        {"precision": 1 / 3, "recall": 1 / 2, "micro_f1": 2 / 5, "support": 2}
    )
    assert metrics["labels"]["S"]["support"] == 1
    assert metrics["labels"]["S"]["micro_f1"] == 0


def test_nothing_found_and_nothing_there_is_no_error():
    metrics = tag_metrics([[]], [[]])
    assert (metrics["micro_f1"], metrics["support"], metrics["labels"]) == (0, 0, {})


TEXT = "Ex-rebels of Chad waited ."
PIECES = ("Ex", "-", "rebel", "s", "of", "Ch", "ad", "waited", ".")
OUT, B_S, I_S, B_T, I_T, B_R, I_R = range(7)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ([B_S, I_S, I_S, I_S, OUT, OUT, OUT, OUT, OUT], [("Ex-rebels", "S")]),
        ([B_S, OUT, OUT, OUT, OUT, OUT, OUT, OUT, OUT], [("Ex-rebels", "S")]),
        ([B_S, B_T, OUT, I_R, I_S, I_S, OUT, OUT, OUT], [("Ex-rebels of Chad", "S")]),
        ([OUT, B_S, B_S, B_S, OUT, OUT, B_T, OUT, OUT], []),
        ([B_S, OUT, OUT, OUT, OUT, B_S, I_S, B_R, OUT], [("Ex-rebels", "S"), ("Chad", "S"), ("waited", "R")]),
        ([B_S, I_S, I_S, I_S, I_S, B_S, I_S, OUT, OUT], [("Ex-rebels of", "S"), ("Chad", "S")]),
    ],
    ids=["whole", "first token", "over words", "no first token", "three", "next to each other"],
)
def test_the_first_token_of_a_word_speaks_for_the_whole_of_it(tags: Sequence[int], expected: list[tuple[str, str]]):
    found = found_spans(*_tagged(tags), CAMEO_NER)
    assert [(TEXT[start:end], label) for _, start, end, label in found] == expected


def test_found_spans_leave_the_scores_as_they_are():
    example, score = _tagged([B_S] * len(PIECES))
    before = score.tokens.copy()
    found_spans(example, score, CAMEO_NER)
    np.testing.assert_array_equal(score.tokens, before)


# Heads


def test_the_pairs_of_dse_are_one_decision_a_sentence():
    rows = [_pairs(DSE, [("p", "q"), ("q", "p")], classes) for classes in ([1, 0], [0, 2], [0, 0])]
    scores = [_scored(DSE, logits) for logits in ([SUPPORT, NEUTRAL], [OPPOSE, NEUTRAL], [NEUTRAL, NEUTRAL])]
    found = field_metrics([*rows, _unlabelled()], [*scores, _scored(DSE, [SUPPORT])], DSE)
    assert found["support"] == 3
    assert found["micro_f1"] == pytest.approx(2 / 3)
    assert found["direction_errors"] == pytest.approx(1 / 2)


@pytest.mark.parametrize(
    ("head", "extra"),
    [(PLOVER, {"quad_macro_f1", "binary_macro_f1"}), (AW, set()), (CAMEO, set())],
)
def test_each_head_has_the_figures_of_its_field(head: Head, extra: set[str]):
    if head.kind == "class":
        rows = [_example({head.name: np.array(label)}) for label in (0, 1)]
        scores = [_scored(head, np.eye(head.outputs)[0]) for _ in rows]
    else:
        rows = [_pairs(head, [("p", UNNAMED)], [label]) for label in (0, 1)]
        scores = [_scored(head, np.eye(head.outputs)[:1]) for _ in rows]
    found = field_metrics([*rows, _unlabelled()], [*scores, scores[0]], head)
    assert set(found) == {"micro_f1", "macro_f1", "support"} | extra
    assert found["support"] == 2
    assert found["micro_f1"] == 0.5


def test_a_quad_code_of_the_corpus_counts_before_the_one_that_its_root_implies():
    rows = [_pairs(PLOVER, [("p", UNNAMED)], [0]) for _ in range(2)]
    rows[1] = replace(rows[1], others={**rows[1].others, PLOVER_QUAD.name: np.array([3])})
    found = field_metrics(rows, [_scored(PLOVER, np.eye(PLOVER.outputs)[:1] * 9) for _ in rows], PLOVER)
    assert found["micro_f1"] == 1
    assert found["quad_macro_f1"] == pytest.approx((2 / 3 + 0) / 2)


def test_tags_are_measured_by_their_spans():
    example, score = _tagged([B_S, OUT, OUT, OUT, OUT, B_T, I_T, OUT, OUT])
    found = field_metrics([example, _unlabelled()], [score, score], CAMEO_NER)
    assert true_spans(example, CAMEO_NER) == [(1, 0, 9, "S"), (1, 18, 24, "R")]
    assert (found["precision"], found["recall"], found["support"]) == (1 / 2, 1 / 2, 2)
    assert {label: row["support"] for label, row in found["labels"].items()} == {"R": 1, "S": 1, "T": 0}


def test_a_mention_is_found_whatever_it_stands_for():
    example, score = _tagged([OUT] * len(PIECES))
    example = replace(example, others={ACTORS: np.array([(1, 0, 9, 0), (1, 13, 17, 0)])})
    score = replace(score, others={ACTORS: np.eye(5)[[3, 4, 4, 0, 0, 1, 0, 0, 0]]})
    found = field_metrics([example], [score], actor_head())
    assert (found["precision"], found["recall"], found["micro_f1"]) == (1, 1, 1)
    assert found["labels"]["country"]["recall"] == 1 / 2


def test_actors_end_where_a_word_or_a_sign_does():
    tags = [3, 4, 4, 0, 0, 1, 0, 0, 0]
    example, score = _tagged([OUT] * len(PIECES))
    score = replace(score, others={ACTORS: np.eye(5)[tags]})
    assert found_spans(example, score, actor_head()) == [(1, 0, 9, "other"), (1, 13, 17, "country")]


def _example(others: dict[str, Labels], pairs: Sequence[tuple[str, str]] = ()) -> Example:
    article = Article("a", TEXT)
    whole = Sentence("text", 0, len(TEXT))
    document = Document(article, (), (whole,), tuple(Pair(0, *names) for names in pairs))
    return Example(document, None, np.full(len(pairs), UNLABELLED), others)


def _unlabelled() -> Example:
    return _example({}, [("p", "q")])


def _pairs(head: Head, pairs: Sequence[tuple[str, str]], classes: Sequence[int]) -> Example:
    return _example({head.name: np.array(classes)}, pairs)


def _scored(head: Head, logits: object) -> Scores:
    return Scores(np.zeros(0), np.zeros((0, 3)), {head.name: np.asarray(logits)})


def _tagged(tags: Sequence[int]) -> tuple[Example, Scores]:
    """A sentence whose true spans are "Ex-rebels" and "waited", and scores that give its tokens these tags."""
    tokens, end = [], 0
    for piece in PIECES:
        start = TEXT.index(piece, end)
        end = start + len(piece)
        tokens.append((1, start, end))
    scores = Scores(
        np.zeros(0), np.zeros((0, 3)), {CAMEO_NER.name: np.eye(CAMEO_NER.outputs)[list(tags)]}, np.array(tokens)
    )
    return _example({CAMEO_NER.name: np.array([(1, 0, 9, 0), (1, 18, 24, 2)])}), scores


def test_a_first_token_may_hold_the_space_before_its_word():
    text = "Hello big world"
    tokenizer = Tokenizer(WordLevel({"▁Hello": 0, "▁big": 1, "▁world": 2, "?": 3}, unk_token="?"))  # noqa: S106
    tokenizer.pre_tokenizer = Metaspace()
    tokens = np.array([(1, *offsets) for offsets in tokenizer.encode(text).offsets])
    example = Example(Document.build(Article("a", text), ()), None, np.zeros(0, np.int64))
    score = Scores(np.zeros(0), np.zeros((0, 3)), {CAMEO_NER.name: np.eye(7)[[1, 5, 3]]}, tokens)
    assert found_spans(example, score, CAMEO_NER) == [(1, 0, 5, "S"), (1, 6, 9, "R"), (1, 10, 15, "T")]
