"""The two ways in which a request can end badly, told apart by exit code."""


class RequestError(ValueError):
    """A wrong request: one line naming the option, the value and what is allowed.

    The command line prints the line and exits with 2; nothing is left on disk.
    """


class WorkError(RuntimeError):
    """The work failed although the request was sound: exit code 1."""


class Interrupted(Exception):
    """The work was told to stop and has saved where it was.

    Args:
        signal: Number of the signal; the command line exits with 128 + signal.
        message: A line that says how to go on.
    """

    def __init__(self, signal: int, message: str) -> None:
        super().__init__(message)
        self.signal = signal
