"""The rules by area, each file with its rules and the code that looks."""
