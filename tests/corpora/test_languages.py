import pytest

from langid.corpora.languages import language_of


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("en", "English"),
        ("hi", "Hindi"),
        ("zh-CN", "Mandarin"),
        ("zh-TW", "Mandarin"),
        ("zh-HK", "Cantonese"),
        ("yue", "Cantonese"),
        ("sv-SE", "Swedish"),
        ("tok", "tok"),
        ("Klingon", "Klingon"),
    ],
)
def test_language_of(locale: str, language: str) -> None:
    assert language_of(locale) == language
