"""What the server offers, as an OpenAPI 3.1 document with examples."""

from __future__ import annotations

from typing import Any


def document(version: str) -> dict[str, Any]:
    return {"openapi": "3.1.0", "info": {"title": "Hauberk", "version": version}, "paths": {}}
