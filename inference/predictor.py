"""Articles in, predictions out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from typing import Any

from .aggregate import article_stances
from .bundle import HEADS, ONNX, SKOPS, TOKENIZER, Bundle
from .decode import Decisions
from .document import Document
from .errors import ArticleError, BundleError, InputError
from .heads import STANCES, TOPICS, Heads
from .locate import locate
from .mentions import MentionFinder
from .schema import Actor, Article, ModelInfo, Prediction, Span, Stance, Status, Topic, printable
from .scorer import Reading, Scorer, Scores, groups
from .threads import single_products

BUFFER_ARTICLES = 256
"""Articles that are sorted and scored together, fewer where they are long; see `scorer.groups`."""

MOST_CHARACTERS = 6_000_000
"""Characters of an article, title and text together: what is longer is no article, and its states would fill memory."""

Input = Article | Mapping[str, Any] | ArticleError


@dataclass(frozen=True, slots=True)
class Wanted:
    """What records are to hold.

    Args:
        topics: whether they hold topics.
        stances: whether they hold actors and stances.
        all_pairs: whether they hold the likelier leaning of every two actors of a sentence, likely or not.
        min_precision: what topics and stances must have reached on validation to be given; None leaves the bundle's own
            thresholds, which are for the best F1.
    """

    topics: bool = True
    stances: bool = True
    all_pairs: bool = False
    min_precision: float | None = None


class Predictor:
    """A bundle to score with; what it needs of it is loaded when it is first needed.

    Args:
        bundle: a verified bundle.
        model: what predictions say of it.
        threads: threads to score with; None leaves the choice to ONNX Runtime.
        device: "cpu" or "cuda".
        wanted: what predictions hold.
    """

    def __init__(
        self,
        bundle: Bundle,
        model: ModelInfo | None = None,
        threads: int | None = None,
        device: str = "cpu",
        wanted: Wanted = Wanted(),
    ) -> None:
        self.bundle = bundle
        self.model = model or ModelInfo(bundle.digest)
        self.threads = threads
        self.wanted = wanted
        self.device = device
        self._decisions = _decisions(bundle.manifest.decisions, wanted)

    def __reduce__(self) -> tuple[Any, ...]:
        """In another process it loads the same bundle for itself."""
        return Predictor, (self.bundle, self.model, self.threads, self.device, self.wanted)

    @cached_property
    def _scorer(self) -> Scorer:
        return _scorer(self.bundle, self.threads, self.device)

    @cached_property
    def _mentions(self) -> MentionFinder:
        return MentionFinder(self.bundle.lexicon())

    @classmethod
    def load(
        cls, model: str | PathLike[str], threads: int | None = None, device: str = "cpu", wanted: Wanted = Wanted()
    ) -> Predictor:
        """Load a bundle from a directory, or a registered model by its MLflow URI.

        Raises:
            BundleError: there is no whole, unaltered bundle of a known format there.
        """
        path, name, version = locate(model)
        bundle = Bundle.open(path.absolute())  # it is read when it is needed, from wherever the process is then
        return cls(bundle, ModelInfo(bundle.digest, name, version), threads, device, wanted)

    def with_threads(self, threads: int) -> Predictor:
        """The same on another number of threads."""
        return Predictor(self.bundle, self.model, threads, self.device, self.wanted)

    def ready(self) -> Predictor:
        """Load what scoring needs, if it is not yet, of the very bundle that was opened.

        Raises:
            BundleError: it has been replaced or altered since.
            InputError: the model is not for this device.
        """
        if "_scorer" not in self.__dict__:
            digest = Bundle.open(self.bundle.path).digest
            if digest != self.bundle.digest:
                raise BundleError(
                    f"{self.bundle.path}: holds another bundle now, {digest[:12]}…; it was {self.bundle.digest[:12]}…"
                )
            _ = self._scorer, self._mentions
        return self

    def predict(self, articles: Iterable[Input], first: int = 1) -> Iterator[Prediction]:
        """Score articles, or mappings with the same keys.

        What cannot be scored comes out with the status `error` and the reason, and so does an
        `ArticleError` that a reader put in an article's place.

        Args:
            articles: any number of them; few are held at a time.
            first: number of the first, which is its id where it has none, and so on.

        Yields:
            One prediction an article, in order.

        Raises:
            BundleError: the bundle has been replaced or altered since it was opened and before anything was scored.
            InputError: the model is not for this device.
        """
        self.ready()
        prepared = (self._prepared(row, item) for row, item in enumerate(articles, start=first))
        for chunk in groups(prepared, BUFFER_ARTICLES):
            with single_products():
                predictions = self._predicted(chunk)
            yield from predictions

    def document(self, article: Article) -> Document:
        """Split an article into sentences and find the actors and pairs in them, by the lexicon alone."""
        return Document.build(article, self._mentions.find(article), self._mentions.asked(article))

    def score(self, documents: Sequence[Document], others: bool = False) -> list[Scores]:
        """Uncalibrated scores, see `Scorer.score`; `predict` is what labels articles."""
        return self._scorer.score(documents, others)

    def _predicted(self, chunk: Sequence[Document | Prediction]) -> list[Prediction]:
        """The records of a chunk of documents, and what stands between them."""
        documents = [item for item in chunk if isinstance(item, Document)]
        readings = self._scorer.read(documents)
        topics = [self._topics(reading, self._decisions) for reading in readings]
        if self.wanted.stances:
            documents = [self._completed(*each) for each in zip(documents, readings, strict=True)]
        scored = zip(documents, topics, self._scorer.score_pairs(documents, readings), strict=True)
        return [self._labelled(*next(scored)) if isinstance(item, Document) else item for item in chunk]

    def _prepared(self, row: int, item: Input) -> Document | Prediction:
        """A document to score, or the record of an article that has nothing to score."""
        try:
            if isinstance(item, ArticleError):
                raise item
            article = item if isinstance(item, Article) else Article.from_mapping(item, str(row))
        except ArticleError as error:
            return self._unscored(printable(error.id or str(row)), "error", printable(error.reason))
        if not article.text.strip():
            return self._unscored(article.id, "empty", "`text` is empty")
        length = len(article.title) + len(article.text)
        if length > MOST_CHARACTERS:
            reason = f"title and text have {length} characters, at most {MOST_CHARACTERS} are scored"
            return self._unscored(article.id, "error", reason)
        return Document.split(article)

    def _completed(self, document: Document, reading: Reading) -> Document:
        """A document with the actors that its reading shows, named alike whatever precision is asked of records."""
        topics = self._topics(reading, self.bundle.manifest.decisions)
        return self._mentions.completed(document, reading, [topic.label for topic in topics if topic.assigned])

    def _labelled(self, document: Document, topics: tuple[Topic, ...], scores: Scores) -> Prediction:
        stances: tuple[Stance, ...] = ()
        if self.bundle.manifest.has(STANCES):
            probabilities = self._decisions.stance_probabilities(scores.stances)
            stances = article_stances(document, probabilities, self._decisions, self.wanted.all_pairs)
        return Prediction(
            id=document.article.id,
            status="ok",
            error=None,
            topics=topics if self.wanted.topics else (),
            actors=_actors(document),
            stances=stances,
            model=self.model,
        )

    def _topics(self, reading: Reading, decisions: Decisions) -> tuple[Topic, ...]:
        if not self.bundle.manifest.has(TOPICS):
            return ()
        probabilities = decisions.topic_probabilities(reading.topics)
        assigned = decisions.assigned(probabilities)
        return tuple(
            Topic(label, float(probability), bool(passes))
            for label, probability, passes in zip(self.bundle.manifest.topics, probabilities, assigned, strict=True)
        )

    def _unscored(self, id: str, status: Status, reason: str) -> Prediction:
        return Prediction(id, status, reason, (), (), (), self.model)


def _decisions(decisions: Decisions, wanted: Wanted) -> Decisions:
    return decisions if wanted.min_precision is None else decisions.at_precision(wanted.min_precision)


def _scorer(bundle: Bundle, threads: int | None, device: str) -> Scorer:
    from .linear_scorer import LinearScorer

    manifest = bundle.manifest
    topics = len(manifest.topics) if manifest.has(TOPICS) else 0
    if manifest.windows is None:
        if device != "cpu":
            raise InputError(f"{bundle.path}: is linear, for CPUs")
        return LinearScorer.load(bundle.path / SKOPS, topics)
    from .window_scorer import WindowScorer
    from .windows import Windower

    if device != "cpu" and manifest.precision == "int8":
        raise InputError(f"{bundle.path}: is in 8-bit integers, for CPUs; train it with `--set model.precision=fp32`")
    windower = Windower.from_file(bundle.path / TOKENIZER, manifest.windows)
    heads = Heads.from_file(bundle.path / HEADS, manifest.heads)
    words = LinearScorer.load(bundle.path / SKOPS, topics) if SKOPS in manifest.files else None
    return WindowScorer.of_onnx(windower, heads, bundle.path / ONNX, threads, device, words)


def _actors(document: Document) -> tuple[Actor, ...]:
    """Every actor with its mentions, in order of first mention."""
    mentions: dict[str, list[Span]] = {}
    for mention in document.mentions:
        quote = document.article.field(mention.field)[mention.start : mention.end]
        mentions.setdefault(mention.name, []).append(Span(mention.field, mention.start, mention.end, quote))
    return tuple(Actor(name, tuple(spans)) for name, spans in mentions.items())
