"""Words of a line that somebody reads."""


def counted(number: int, noun: str) -> str:
    """A number of things, in the singular where there is one."""
    return f"{number} {noun}{'s' * (number != 1)}"
