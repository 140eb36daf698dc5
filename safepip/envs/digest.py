"""SHA-256 without hashlib, which loads OpenSSL: that takes longer than all that is to be hashed here."""

from __future__ import annotations

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

__all__ = ["sha256"]
