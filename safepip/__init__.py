"""pip, as it was, on a Python that the system manages."""

__version__ = "0.1.0"
