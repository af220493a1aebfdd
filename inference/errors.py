"""What can go wrong, by who has to act on it."""


class DetenteError(Exception):
    """Any error that detente raises on purpose; its message is meant for people."""


class BundleError(DetenteError):
    """A model bundle is missing, incomplete, altered, or of a format this version cannot read."""


class InputError(DetenteError):
    """An input or output file as a whole cannot be used."""


class ArticleError(DetenteError):
    """One article cannot be scored; the other articles can.

    Args:
        reason: what was found and what was expected.
        id: the article's id where it is known.
    """

    def __init__(self, reason: str, id: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.id = id
