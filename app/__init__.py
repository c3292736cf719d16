"""The roof: settings, words, query language, sentiment, storage, the walks, scheduler, API, pages, command line.

    cli > demo > main > web > api > scheduler > pipeline | config > storage > tables > sentiment | query ... > model

Imports run downwards only, and from here to the wings (`collectors`, `alerts`), never back. `make check` holds the
floors.
"""
