"""The command line: parse, one call, render, one exit code."""
