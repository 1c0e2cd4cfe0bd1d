"""FF1: a keyed permutation of numbers of a given length, so that what is encrypted keeps its form.

Built from AES as a ten-round Feistel network. ``Permutation`` puts it over any number of values by encrypting
again until the result is one of them (cycle walking): a one-to-one map that only the key undoes.

Source: NIST SP 800-38G, algorithms 7 and 8, with the least domain of its Revision 1.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

from hauberk.core.errors import ConfigError

SMALLEST_DOMAIN = 1_000_000
"""Values that a permutation must have at least: below, FF1 is not what its proofs are about."""

_BLOCK = 16
_ROUNDS = 10


class FF1:
    """FF1 for strings of ``length`` numerals in ``radix``, held as whole numbers below ``radix ** length``.

    Args:
        key: of AES: 16, 24 or 32 bytes.

    Raises:
        ConfigError: fewer than a million strings, or a radix out of [2, 65536].

    Limits: it hides a value only among as many as there are, and from nobody who may have any value he likes
    encrypted. The time it takes depends on the values.
    """

    def __init__(self, key: bytes | bytearray, radix: int, length: int) -> None:
        if not 2 <= radix <= 1 << 16 or length < 2 or radix**length < SMALLEST_DOMAIN:
            raise ConfigError(f"FF1 needs {SMALLEST_DOMAIN:,} values at least, got {radix}**{length}")
        self.size: int = radix**length
        self._radix, self._length = radix, length
        self._left = length // 2
        self._sizes: tuple[int, int] = (radix**self._left, radix ** (length - self._left))
        self._bytes = (((self._sizes[1] - 1).bit_length()) + 7) // 8
        self._digest = 4 * -(-self._bytes // 4) + 4
        self._aes: CipherContext = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305

    def encrypt(self, value: int, tweak: bytes = b"") -> int:
        """The value's place under this key and ``tweak``, which need not be secret."""
        low, high = self._sizes
        a, b = divmod(value, high)
        head = self._head(tweak)
        for number in range(_ROUNDS):
            modulus = high if number % 2 else low
            a, b = b, (a + self._round(head, tweak, number, b)) % modulus
        return a * high + b

    def decrypt(self, value: int, tweak: bytes = b"") -> int:
        """The value that ``encrypt`` put there."""
        low, high = self._sizes
        a, b = divmod(value, high)
        head = self._head(tweak)
        for number in reversed(range(_ROUNDS)):
            modulus = high if number % 2 else low
            a, b = (b - self._round(head, tweak, number, a)) % modulus, a
        return a * high + b

    def _head(self, tweak: bytes) -> bytes:
        return self._aes.update(
            b"\x01\x02\x01"
            + self._radix.to_bytes(3, "big")
            + bytes((_ROUNDS, self._left % 256))
            + self._length.to_bytes(4, "big")
            + len(tweak).to_bytes(4, "big")
        )

    def _round(self, head: bytes, tweak: bytes, number: int, half: int) -> int:
        padding = bytes((-len(tweak) - self._bytes - 1) % _BLOCK)
        text = tweak + padding + bytes((number,)) + half.to_bytes(self._bytes, "big")
        state = head
        for at in range(0, len(text), _BLOCK):
            state = self._aes.update(_xor(state, text[at : at + _BLOCK]))
        stream = state
        for count in range(1, -(-self._digest // _BLOCK)):
            stream += self._aes.update(_xor(state, count.to_bytes(_BLOCK, "big")))
        return int.from_bytes(stream[: self._digest], "big")


class Permutation:
    """A keyed permutation of the numbers below ``size``.

    Raises:
        ConfigError: fewer than a million numbers.

    Cost: eleven AES blocks for a number where ``size`` is a power of two, else up to twice that on average.
    """

    def __init__(self, key: bytes | bytearray, size: int) -> None:
        if size < SMALLEST_DOMAIN:
            raise ConfigError(f"a permutation has {SMALLEST_DOMAIN:,} values at least, got {size:,}")
        self.size = size
        self._ff1 = FF1(key, 2, (size - 1).bit_length())

    def forth(self, value: int, tweak: bytes = b"") -> int:
        """Where ``value`` goes."""
        value = self._ff1.encrypt(value, tweak)
        while value >= self.size:
            value = self._ff1.encrypt(value, tweak)
        return value

    def back(self, value: int, tweak: bytes = b"") -> int:
        """What went to ``value``."""
        value = self._ff1.decrypt(value, tweak)
        while value >= self.size:
            value = self._ff1.decrypt(value, tweak)
        return value


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).to_bytes(_BLOCK, "big")
