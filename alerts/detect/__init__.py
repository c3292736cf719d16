"""The return-period scan: how often would so many negative mentions come together by chance, in months?

    counts of a bin -> baseline -> scan of four windows -> own scale -> score -> verdict -> one notice an incident

One score for every brand, one dial for the operator. Everything here is pure: no clock, no network, no database; the
same counts in give the same verdicts out, bit for bit. `scan.step` judges one bin of many brands at once, `verdict`
one brand for the watch walk, `online` one stream row by row; `state` is what has to be kept between bins.
"""
