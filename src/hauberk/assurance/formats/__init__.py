"""A verdict for the terminal, for code hosts (SARIF) and for build servers (JUnit XML)."""
