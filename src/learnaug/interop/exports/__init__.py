"""Policies as small Python files that run without learnaug.

The functions of `drawing`, `geometry`, `arrays` and `for_*` are ordinary code, checked and tested
as such; `generate` copies those that a policy uses, and the policy's table, into one text.
"""
