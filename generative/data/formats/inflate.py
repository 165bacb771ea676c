"""Decompression that never makes more bytes than were promised."""

import lzma
import zlib

GZIP = 16 + zlib.MAX_WBITS
ZLIB = zlib.MAX_WBITS


def inflated(data: bytes, most: int, *, wbits: int = ZLIB) -> bytes:
    """The first ``most`` bytes of a zlib or gzip stream, and no more memory than these take.

    Parameters
    ----------
    data
        The compressed stream.
    most
        Bytes wanted; what follows is not decompressed.
    wbits
        `ZLIB` or `GZIP`.

    Raises
    ------
    ValueError
        If the stream is damaged, or ends before ``most`` bytes.

    Examples
    --------
    >>> inflated(zlib.compress(bytes(1000)), 3)
    b'\\x00\\x00\\x00'
    """
    stream = zlib.decompressobj(wbits)
    try:
        made = stream.decompress(data, most)
    except zlib.error as error:
        raise ValueError(f"its compressed data are damaged: {error}") from error
    return _of_length(made, most)


def unpacked_lzma(data: bytes, most: int) -> bytes:
    """The first ``most`` bytes of an LZMA stream; errors as `inflated`."""
    try:
        made = lzma.LZMADecompressor(memlimit=2**30).decompress(data, most)
    except (lzma.LZMAError, EOFError) as error:
        raise ValueError(f"its compressed data are damaged: {error}") from error
    return _of_length(made, most)


def _of_length(made: bytes, expected: int) -> bytes:
    if len(made) != expected:
        raise ValueError(f"its compressed data hold {len(made):,} bytes instead of {expected:,}")
    return made
