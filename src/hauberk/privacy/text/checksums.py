"""The check characters of numbers that institutions give to people and their accounts."""

from __future__ import annotations

from datetime import date

_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS = "10X98765432"
_CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CREDIT_VALUES = {one: value for value, one in enumerate(_CREDIT_ALPHABET)}
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)

# Provinces, autonomous regions and municipalities by the first two digits (GB/T 2260); 81 to 83 are the
# residence permits of people from Hong Kong, Macao and Taiwan, which have the same form.
REGIONS = frozenset(
    str(one)
    for one in (
        *range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55), *range(61, 66),
        71, 81, 82, 83, 91,
    )
)  # fmt: skip


def id_check(first: str) -> str:
    """The last character of a resident identity number, from its first 17 digits.

    Source: GB 11643-1999, ISO 7064 MOD 11-2.
    """
    return _ID_CHECKS[sum(int(digit) * weight for digit, weight in zip(first, _ID_WEIGHTS, strict=True)) % 11]


def is_resident_id(number: str) -> bool:
    """18 characters with a region, a date that exists and the right check character."""
    return is_region_and_date(number[:14]) and id_check(number[:17]) == number[17].upper()


def is_region_and_date(number: str) -> bool:
    """A region and eight digits of a date, as a resident identity number begins."""
    return number[:2] in REGIONS and is_date(number[6:10], number[10:12], number[12:14])


def is_date(year: str, month: str, day: str) -> bool:
    """A day that exists."""
    try:
        date(int(year), int(month), int(day))
    except ValueError:
        return False
    return True


def is_luhn(digits: str) -> bool:
    """Source: ISO/IEC 7812-1, annex B."""
    numbers = [int(one) for one in digits]
    return (sum(numbers[-1::-2]) + sum(_DOUBLED[one] for one in numbers[-2::-2])) % 10 == 0


def credit_check(first: str) -> str | None:
    """The last character of a unified social credit code, from its first 17; None where one is not allowed.

    Source: GB 32100-2015, ISO 7064 MOD 31-3 with weights that are powers of 3.
    """
    if any(one not in _CREDIT_VALUES for one in first):
        return None
    total = sum(_CREDIT_VALUES[one] * pow(3, place, 31) for place, one in enumerate(first))
    return _CREDIT_ALPHABET[-total % 31]


def is_iban(compact: str) -> bool:
    """Source: ISO 13616, ISO 7064 MOD 97-10."""
    turned = compact[4:] + compact[:4]
    return int("".join(str(int(one, 36)) for one in turned)) % 97 == 1
