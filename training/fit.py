"""A recipe into a bundle: read, split, fit, calibrate, evaluate, export."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np
from datasets import Dataset

from inference.actors import ActorFinder
from inference.bundle import Bundle, Manifest, check_target
from inference.decode import Decisions
from inference.errors import DetenteError
from inference.heads import ACTORS, STANCES, TOPICS, Head
from inference.naming import Lexicon
from inference.predictor import Predictor
from inference.schema import STANCE_LABELS
from models.base import UNLABELLED, Example, Model, kept_heads, labelled_heads
from models.export import export_bundle
from models.families import make_family
from models.settings import LinearModel

from .articles import fit_records
from .behaviour import CASES, behave, load_cases
from .card import model_card
from .catalogue import Catalogue, CatalogueError, Use, check_use, entry, load_catalogue
from .corpora import PRACTICE, load_corpora
from .curves import curves
from .evaluate import Metrics, evaluate
from .examples import to_examples
from .heads import all_heads
from .parity import Judged, lightest
from .provenance import corpus_facts, dataset_digest, library_versions, source_commit
from .public.readers import READERS
from .recipe import Corpus, Recipe, RecipeError
from .report import CARD, REPORT, Report
from .splits import Parts, split
from .taxonomy import load_lexicon, load_taxonomy

if TYPE_CHECKING:
    from models.checkpoint import Checkpoint

LOG = logging.getLogger(__name__)

_PARITY_DOCUMENTS = 64


class LabelError(DetenteError):
    """A label cannot be learned from what there is."""


@dataclass(frozen=True, slots=True)
class Data:
    """What a run learns from and is judged by; of the learned heads the model has those in `heads`."""

    topics: tuple[str, ...]
    learned: tuple[Head, ...]
    heads: tuple[Head, ...]
    lexicon: Lexicon
    dataset: Dataset
    parts: Parts
    train: list[Example]
    validation: list[Example]
    test: list[Example]
    teachers: list[Predictor]
    catalogue: Catalogue


def run(
    recipe: Recipe, out: Path, resume: bool = False, skip_bad_rows: bool = False, keep_encoder: Path | None = None
) -> Bundle:
    """Train, evaluate and export what a recipe describes.

    Args:
        recipe: checked.
        out: where the bundle will lie.
        resume: whether to go on after an interruption.
        skip_bad_rows: whether bad rows of a corpus are left out instead of stopping the run.
        keep_encoder: a folder that gets the fine-tuned encoder, for other recipes to start from.

    Raises:
        DetenteError: something is not as it must be; an older bundle at `out` is left as it is.
    """
    started, commit = monotonic(), source_commit()
    check_target(out)
    if keep_encoder and isinstance(recipe.model, LinearModel):
        raise RecipeError(f"{recipe.name}: the linear family has no encoder to keep in {keep_encoder}")
    data = prepare(recipe, skip_bad_rows)
    sizes = (len(data.dataset), len(data.train), len(data.validation), len(data.test))
    LOG.info("%d articles: %d to train, %d to validate, %d to test", *sizes)
    checkpoint = _checkpoint(recipe, data, out, resume)
    family = make_family(recipe.model, recipe.trainer, data.learned, recipe.seed, checkpoint)
    epochs: list[dict[str, float]] = []

    def on_epoch(number: int, measured: dict[str, float]) -> None:
        epochs.append({"epoch": number, **measured})
        LOG.info("epoch %d: %s", number, ", ".join(f"{key} {value:.4f}" for key, value in measured.items()))

    family.fit(_taught(data), data.validation, on_epoch)
    if os.environ.get("RANK", "0") != "0":
        raise SystemExit(0)  # under torchrun the main process alone judges and exports
    if keep_encoder:
        family.save_encoder(keep_encoder)
    fitted = monotonic() - started
    wanted = "fp32" if isinstance(recipe.model, LinearModel) else recipe.model.precision
    judged, precision = lightest(family, wanted, data.train, data.validation, data.topics, data.heads)
    articles = fit_records(judged.model, data.validation, judged.scores, judged.decisions, data.lexicon)
    judged = replace(judged, decisions=replace(judged.decisions, articles=articles))
    report, manifest = _report(judged, precision, recipe, data, epochs, fitted, commit)
    extra = {REPORT: report.to_json(), CARD: model_card(report)}
    documents = [example.document for example in data.validation[:_PARITY_DOCUMENTS]]
    bundle = export_bundle(judged.model, out, manifest, data.lexicon, extra, documents)
    if checkpoint:
        checkpoint.path.unlink(missing_ok=True)
    return bundle


def check_needs(recipe: Recipe) -> Catalogue:
    """Make sure that a recipe's encoder is there, and that the corpora that it names may be used so.

    Returns:
        The catalogue, where the recipe names a public corpus or a teacher; else an empty one.

    Raises:
        DetenteError: the encoder is not at hand, or a public corpus is unknown or may not be used so.
    """
    if not isinstance(recipe.model, LinearModel):
        from models.sources import check_source

        check_source(recipe.model.encoder)
    public = [corpus.name for corpus in recipe.corpora if corpus.public]
    catalogue = load_catalogue(recipe.catalogue) if public or recipe.teachers else {}
    for name in public:
        corpus = entry(catalogue, name)
        check_use(name, corpus, recipe.purpose)
        if corpus.labels is None and name not in READERS:
            raise CatalogueError(f"corpus {name}: there is no reader of it; known: {', '.join(READERS)}")
    return catalogue


def prepare(recipe: Recipe, skip_bad_rows: bool = False) -> Data:
    """Read and part the corpora of a recipe; what cannot work fails here, before any training.

    Raises:
        DetenteError: see `check_needs`; or a vocabulary, corpus or teacher is not at hand, a row is bad, or a head or
            label has too few examples.
    """
    catalogue = check_needs(recipe)
    teachers = [_teacher(name, catalogue, recipe.purpose) for name in recipe.teachers]
    topics, lexicon = load_taxonomy(recipe.taxonomy).labels, load_lexicon(recipe.actors)
    dataset = load_corpora(recipe.corpora, topics, ActorFinder(lexicon.forms), skip_bad_rows, catalogue)
    if recipe.articles is not None:
        dataset = _drawn(dataset, recipe.articles, recipe.seed)
    auxiliary = {corpus.name for corpus in recipe.corpora if corpus.auxiliary_epochs is not None}
    parts = split(dataset, recipe.split, recipe.seed, auxiliary)
    if not (parts.train and parts.validation):
        raise RecipeError(
            f"{recipe.name}: of {len(dataset)} articles {len(parts.train)} are left to learn from and "
            f"{len(parts.validation)} to validate on; events and near-duplicates stay together (`event`, "
            "split.same_event, split.near_duplicate)"
        )
    train = _examples(dataset.select(parts.train), topics, lexicon, recipe.corpora, titles=True)
    held = (parts.validation, parts.test)
    validation, test = (_examples(dataset.select(rows), topics, lexicon, recipe.corpora) for rows in held)
    learned = check_heads(train, all_heads(topics), recipe)
    check_labels(train, topics, recipe.min_positives)
    if not (heads := kept_heads(train, learned)):
        raise LabelError("only corpora with `auxiliary_epochs` have labels, none that the model is for")
    return Data(topics, learned, heads, lexicon, dataset, parts, train, validation, test, teachers, catalogue)


def _drawn(dataset: Dataset, number: int, seed: int) -> Dataset:
    """So many articles, or all if there are fewer, and whatever is only practised on."""
    practised = np.array([part == PRACTICE for part in dataset["part"]])
    articles = np.flatnonzero(~practised)
    if number >= len(articles):
        return dataset
    chosen = np.random.default_rng(seed).choice(articles, number, replace=False)
    return dataset.select(np.sort(np.concatenate([chosen, np.flatnonzero(practised)])))


def _examples(
    rows: Dataset, topics: Sequence[str], lexicon: Lexicon, corpora: Sequence[Corpus], titles: bool = False
) -> list[Example]:
    """Rows as examples that are read as often as the recipe says of their corpora; see `to_examples`."""
    settings = {corpus.name: corpus for corpus in corpora}
    examples = to_examples(rows, all_heads(topics), lexicon.countries, titles)
    read = ((example, settings[example.corpus]) for example in examples)
    return [replace(example, weight=corpus.weight, epochs=corpus.auxiliary_epochs) for example, corpus in read]


def _teacher(name: str, catalogue: Catalogue, purpose: Use) -> Predictor:
    """A model to learn from; what its corpora may be used for holds for its pupil, too."""
    teacher = Predictor.load(name)
    for corpus in _learned_from(teacher):
        if corpus in catalogue:
            check_use(f"{corpus} of teacher {name}", catalogue[corpus], purpose)
    return teacher


def _learned_from(model: Predictor) -> list[str]:
    """Names of the corpora of a model and of its teachers."""
    facts = model.bundle.manifest.provenance
    names = [corpus["name"] for corpus in facts.get("corpora", ())]
    return names + [name for teacher in facts.get("teachers", ()) for name in teacher["corpora"]]


def check_heads(train: Sequence[Example], heads: Sequence[Head], recipe: Recipe) -> tuple[Head, ...]:
    """The heads that can be trained.

    Raises:
        LabelError: there are none, a corpus has no example of one that it is to train, or the family lacks one.
        RecipeError: a head that is weighed is not known.
    """
    for corpus in recipe.corpora:
        labelled = [head.name for head in labelled_heads([row for row in train if row.corpus == corpus.name], heads)]
        for name in corpus.heads or ():
            if name not in labelled:
                others = ", ".join(labelled) or "nothing"
                raise LabelError(f"corpus {corpus.name}: no training example of the head {name}, only of {others}")
    unknown = sorted(set(recipe.trainer.head_weights if recipe.trainer else ()) - {head.name for head in heads})
    if unknown:
        known = ", ".join(head.name for head in heads)
        raise RecipeError(f"{recipe.name}: trainer.head_weights: no head {', '.join(unknown)}; there are {known}")
    found = labelled_heads(train, heads)
    if not found:
        raise LabelError("no article has labels, neither topics nor stances")
    if recipe.model.family == "encoder":
        return found
    asked = {name for corpus in recipe.corpora for name in corpus.heads or ()}
    had = {TOPICS, STANCES, *({ACTORS} - asked)}
    lacking = [head.name for head in found if head.name not in had]
    if lacking:
        raise LabelError(f"the {recipe.model.family} family has no head {', '.join(lacking)}: the encoder family has")
    return tuple(head for head in found if head.name != ACTORS)  # the lexicon alone finds actors there


def check_labels(train: Sequence[Example], topics: Sequence[str], least: int) -> None:
    """Make sure that every label has enough positives to be learned, and every topic something to be told from.

    Raises:
        LabelError: naming each label that has not.
    """
    counts: dict[str, int] = {}
    labelled = [example.topics for example in train if example.topics is not None]
    if labelled:
        counts |= dict(zip(topics, np.sum(labelled, axis=0).astype(int).tolist(), strict=True))
    classes = np.concatenate([example.stances for example in train])
    if (classes != UNLABELLED).any():
        counts |= {label: int((classes == kind).sum()) for kind, label in enumerate(STANCE_LABELS)}
    poor = {label: count for label, count in counts.items() if count < least}
    if poor:
        found = ", ".join(f"{label} has {count}" for label, count in poor.items())
        raise LabelError(f"too few training positives: {found}; expected at least {least} (`min_positives`)")
    always = [topic for topic in topics if labelled and counts[topic] == len(labelled)]
    if always:
        raise LabelError(f"every training article has {', '.join(always)}: there is nothing to tell them from")


def _taught(data: Data) -> list[Example]:
    """What is learned from, with the scores of teachers where there are some."""
    if not data.teachers:
        return data.train
    from models.distil import taught

    LOG.info("%d teachers score %d articles", len(data.teachers), len(data.train))
    return taught(data.train, data.teachers, data.learned)


def _report(
    judged: Judged,
    precision: Metrics,
    recipe: Recipe,
    data: Data,
    epochs: list[dict[str, float]],
    seconds: float,
    commit: str | None,
) -> tuple[Report, Manifest]:
    """Measure on validation and test, and write it all down."""
    started = monotonic()
    model, decisions = judged.model, judged.decisions
    test = model.score([example.document for example in data.test], others=True)
    report = Report(
        recipe=recipe.model_dump(mode="json"),
        recipe_digest=recipe.digest(),
        commit=commit,
        libraries=library_versions(),
        encoder=model.encoder_facts(),
        precision=precision,
        corpora=corpus_facts(recipe.corpora, data.dataset, data.parts.test, data.catalogue),
        split=data.parts.ids(data.dataset),
        epochs=epochs,
        seconds={"fit": seconds, "evaluate": monotonic() - started},
        metrics={
            "validation": evaluate(data.validation, judged.scores, data.heads, decisions),
            "test": evaluate(data.test, test, data.heads, decisions),
            **_behaviour(model, data.heads, decisions),
        },
        curves=curves(data.test, test, data.topics, decisions),
    )
    manifest = Manifest(
        family=recipe.model.family,
        topics=data.topics,
        heads=data.heads,
        decisions=decisions,
        windows=model.windows,
        provenance={
            "name": recipe.name,
            "seed": recipe.seed,
            "recipe": report.recipe_digest,
            "purpose": recipe.purpose,
            "commit": report.commit,
            "encoder": report.encoder,
            "corpora": [{key: corpus[key] for key in ("name", "licence", "sha256")} for corpus in report.corpora],
            "teachers": [
                {"name": each.bundle.path.name, "sha256": each.bundle.digest, "corpora": _learned_from(each)}
                for each in data.teachers
            ],
            "libraries": report.libraries,
            "metrics": report.metrics["test"],
        },
        precision=report.precision["chosen"],
    )
    return report, manifest


def _behaviour(model: Model, heads: Sequence[Head], decisions: Decisions) -> Metrics:
    """How the project's cases are read, as `behaviour`, where there are cases and stances."""
    if not CASES.is_dir() or STANCES not in {head.name for head in heads}:
        return {}
    return {"behaviour": behave(load_cases(), model.score, decisions)}


def _checkpoint(recipe: Recipe, data: Data, out: Path, resume: bool) -> Checkpoint | None:
    """Where the encoder's state is kept between epochs; None for the families that fit in one go."""
    if recipe.model.family != "encoder":
        return None
    from models.checkpoint import Checkpoint

    words = sha256(json.dumps([data.topics, data.lexicon.to_dict()]).encode()).hexdigest()
    fingerprint = f"{recipe.digest()}-{dataset_digest(data.dataset)}-{words}"
    checkpoint = Checkpoint(out.with_name(f".{out.name}.checkpoint.safetensors"), fingerprint)
    if resume and not checkpoint.path.exists():
        LOG.info("there is nothing to go on from: the run begins anew")
    if not resume and checkpoint.path.exists():
        LOG.warning("an interrupted run is given up: --resume would have gone on with it")
        checkpoint.path.unlink()
    return checkpoint
