"""SHA-256 without hashlib.

That loads OpenSSL, which takes longer than everything hashed here.
"""

from __future__ import annotations

from binascii import b2a_base64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import sha256
else:
    try:
        from _sha2 import sha256  # Python 3.12 and newer
    except ImportError:
        try:
            from _sha256 import sha256
        except ImportError:  # a Python without modules of its own for that
            from hashlib import sha256

__all__ = ["encoded", "record_row", "row_with", "sha256"]


def record_row(name: str, content: bytes) -> str:
    """Return the row of a file in a RECORD."""
    return row_with(sha256(content).digest(), name, len(content))


def row_with(digest: bytes, name: str, size: int) -> str:
    """Return the row of a file with this SHA-256 in a RECORD."""
    return f"{name},sha256={encoded(digest)},{size}"


def encoded(digest: bytes) -> str:
    """Return a digest as RECORD writes it: base64 for URLs, not padded."""
    return b2a_base64(digest, newline=False).decode().rstrip("=").replace("+", "-").replace("/", "_")
