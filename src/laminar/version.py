"""The version of laminar."""

VERSION = "2026.11.0"
