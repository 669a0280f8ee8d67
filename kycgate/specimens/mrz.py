"""The machine-readable zone of a passport (TD3). Source: ICAO Doc 9303, parts 3 (4.9, check digits) and 4."""

from kycgate.specimens.person import Person

_WEIGHTS = (7, 3, 1)


def check_digit(text: str) -> str:
    """Modulo 10 with the weights 7, 3, 1; A is 10 to Z is 35, the filler is 0."""
    values = (int(c) if c.isdigit() else 0 if c == "<" else ord(c) - 55 for c in text)
    return str(sum(value * _WEIGHTS[place % 3] for place, value in enumerate(values)) % 10)


def _field(text: str, length: int) -> str:
    return text.upper().replace(" ", "<")[:length].ljust(length, "<")


def mrz_lines(person: Person) -> tuple[str, str]:
    """Two lines of 44 characters; the issuing state is UTO, ICAO's own for specimens."""
    names = _field(f"{person.family_name_en}<<{person.first_name_en}", 39)
    number = _field(person.document_number, 9)
    born, expires = f"{person.birthdate:%y%m%d}", f"{person.expiry_date:%y%m%d}"
    personal = _field(person.id_number, 14)
    sex = "M" if int(person.id_number[12]) % 2 else "F"
    parts = (number + check_digit(number), born + check_digit(born), expires + check_digit(expires))
    personal += check_digit(personal)
    total = check_digit(parts[0] + parts[1] + parts[2] + personal)
    return f"P<UTO{names}", f"{parts[0]}UTO{parts[1]}{sex}{parts[2]}{personal}{total}"
