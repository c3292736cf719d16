"""Lists of feeds in and out."""

import pytest

from collectors.opml import Listed, read_opml, write_opml

LIST = b"""<?xml version="1.0"?>
<opml version="2.0"><head><title>Mis fuentes</title></head><body>
  <outline text="Prensa">
    <outline type="rss" text="El Correo" title="El Correo de hoy" xmlUrl=" https://correo.example/rss "/>
    <outline text="&#x41;na &amp; Luis" xmlUrl="https://ana.example/feed"/>
    <outline text="otra vez" xmlUrl="https://correo.example/rss"/>
  </outline>
  <outline xmlUrl="https://sin.example/"/>
  <outline text="una carpeta vac\xc3\xada"/>
</body></opml>"""
FEEDS = [
    Listed("El Correo de hoy", "https://correo.example/rss"),
    Listed("Ana & Luis", "https://ana.example/feed"),
    Listed("https://sin.example/", "https://sin.example/"),
]


def test_it_reads_every_feed_once_whatever_folder_it_is_in() -> None:
    assert read_opml(LIST) == FEEDS


def test_what_it_writes_it_reads() -> None:
    odd = [*FEEDS, Listed("<&\"'> ñ", "https://x.example/?a=1&b='2'")]
    assert read_opml(write_opml("A & B", odd).encode()) == odd


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "well-formed"), (b"<rss/>", "<rss>"), (b"hola", "well-formed"), (b"<opml><body>", "well-formed")],
)
def test_what_is_no_list_is_refused_in_words(content: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_opml(content)


def test_a_list_cannot_make_it_read_files_or_grow() -> None:
    secret = b"<!DOCTYPE opml [<!ENTITY x SYSTEM 'file:///etc/hostname'>]><opml><outline text='&x;' xmlUrl='http://a/'/></opml>"
    with pytest.raises(ValueError, match="well-formed"):
        read_opml(secret)
    laughs = b"".join(b"<!ENTITY a%d '%s'>" % (n, b"&a%d;" % (n - 1) * 10 if n else b"ja") for n in range(9))
    bomb = (
        b"<!DOCTYPE opml [" + laughs + b"]><opml><body><outline xmlUrl='http://a.example/'>&a8;</outline></body></opml>"
    )
    with pytest.raises(ValueError, match="well-formed"):
        read_opml(bomb)
