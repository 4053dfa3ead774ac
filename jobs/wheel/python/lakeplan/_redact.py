"""Removes secrets from printed text and exceptions."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

MARK = "[REDACTED]"


class Redactor:
    """Removes known secret values from text, including their forms in JSON, URLs and base64.

    Streamed text is processed line by line, so each line of a multi-line value counts as a secret.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms: list[str] = []
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Registers another value; a blank value is not a secret."""
        forms = set(self._forms)
        for value in (secret, *secret.splitlines()):
            plain = value.strip()
            if plain:
                encoded = base64.b64encode(plain.encode()).decode()
                forms |= {plain, json.dumps(plain)[1:-1], quote(plain, safe=""), quote(plain), encoded, encoded.rstrip("=")}
        # The longest first, because a value may contain another.
        self._forms = sorted(forms, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, MARK)
        return text

    def inside(self, value: Any) -> Any:
        """Redacts every text inside a JSON value."""
        if isinstance(value, dict):
            return {self(key): self.inside(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.inside(inner) for inner in value]
        return self(value) if isinstance(value, str) else value
