"""What members differ in by value."""

from collections.abc import Sequence

from jaxorder.errors import RequestError, given

# Whole-program options such as the batch size cannot differ between members.
VARIABLE = (
    "learning_rate",
    "momentum",
    "weight_decay",
    "label_smoothing",
    "dropout",
    "subset",
)


def parse_vary(texts: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """Return the values that members differ in, by field.

    Args:
        texts: `NAME=value,value,...`, a name as the command line writes it.

    Returns:
        At least two different values of each field, in the order given.

    Raises:
        RequestError: Where a text does not have that form, a name cannot vary or comes
            twice, or values are no numbers, all alike or fewer than two.

    Example:
        >>> parse_vary(["learning-rate=0.01,0.1"])
        {'learning_rate': (0.01, 0.1)}
    """
    found: dict[str, tuple[float, ...]] = {}
    for text in texts:
        name, _, values = text.partition("=")
        field = name.replace("-", "_")
        if field not in VARIABLE:
            allowed = ", ".join(name.replace("_", "-") for name in VARIABLE)
            raise RequestError(
                f"{given('vary', text)}: must be NAME=value,value of {allowed}"
            )
        if field in found:
            raise RequestError(f"{given('vary', texts)}: names {name} twice")
        found[field] = _varied_values(text, values)
    return found


def _varied_values(text: str, values: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(value) for value in values.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) < 2 or len(set(numbers)) < len(numbers):
        raise RequestError(
            f"{given('vary', text)}: must be NAME=value,value: at least two different "
            "numbers joined by commas"
        )
    return numbers


def values_of_members(
    varied: dict[str, tuple[float, ...]], first: int, members: int
) -> dict[str, list[float]]:
    """Return the values of each varied option for some members.

    The values of the first option cycle over members, those of the second change when
    the first's have been through, and so on: all combinations come in turn.

    Args:
        varied: The values by option, as `parse_vary` gives.
        first: First member.
        members: Members from there on.

    Returns:
        [member] by option.

    Example:
        >>> grid = parse_vary(["learning-rate=0.1,0.2", "momentum=0.5,0.9"])
        >>> values_of_members(grid, 0, 5)["momentum"]
        [0.5, 0.5, 0.9, 0.9, 0.5]
    """
    found, every = {}, 1
    for name, values in varied.items():
        indices = [i // every % len(values) for i in range(first, first + members)]
        found[name] = [values[index] for index in indices]
        every *= len(values)
    return found
