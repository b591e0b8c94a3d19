"""Names of languages for the locale codes of Common Voice."""

LANGUAGES = {
    "ab": "Abkhaz", "af": "Afrikaans", "am": "Amharic", "ar": "Arabic", "as": "Assamese",
    "az": "Azerbaijani", "ba": "Bashkir", "be": "Belarusian", "bg": "Bulgarian", "bn": "Bengali",
    "br": "Breton", "ca": "Catalan", "ckb": "Central Kurdish", "cs": "Czech", "cv": "Chuvash",
    "cy": "Welsh", "da": "Danish", "de": "German", "dv": "Dhivehi", "el": "Greek",
    "en": "English", "eo": "Esperanto", "es": "Spanish", "et": "Estonian", "eu": "Basque",
    "fa": "Persian", "fi": "Finnish", "fr": "French", "fy": "Frisian", "ga": "Irish",
    "gl": "Galician", "gn": "Guarani", "ha": "Hausa", "he": "Hebrew", "hi": "Hindi",
    "hsb": "Upper Sorbian", "hu": "Hungarian", "hy": "Armenian", "ia": "Interlingua",
    "id": "Indonesian", "ig": "Igbo", "is": "Icelandic", "it": "Italian", "ja": "Japanese",
    "ka": "Georgian", "kab": "Kabyle", "kk": "Kazakh", "kmr": "Kurmanji Kurdish", "ko": "Korean",
    "ky": "Kyrgyz", "lg": "Luganda", "lt": "Lithuanian", "lv": "Latvian", "mk": "Macedonian",
    "ml": "Malayalam", "mn": "Mongolian", "mr": "Marathi", "mt": "Maltese", "ne": "Nepali",
    "nl": "Dutch", "or": "Odia", "pa": "Punjabi", "pl": "Polish", "ps": "Pashto",
    "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "rw": "Kinyarwanda", "sk": "Slovak",
    "sl": "Slovenian", "sq": "Albanian", "sr": "Serbian", "sv": "Swedish", "sw": "Swahili",
    "ta": "Tamil", "te": "Telugu", "th": "Thai", "tr": "Turkish", "tt": "Tatar",
    "ug": "Uyghur", "uk": "Ukrainian", "ur": "Urdu", "uz": "Uzbek", "vi": "Vietnamese",
    "yo": "Yoruba", "yue": "Cantonese", "zh-CN": "Mandarin", "zh-HK": "Cantonese",
    "zh-TW": "Mandarin",
}  # fmt: skip


def language_of(locale: str) -> str:
    """Return the language's name: of the locale, else of its first part, else the code itself.

    ``zh-CN`` and ``zh-TW`` are Mandarin; ``zh-HK`` is Cantonese.
    """
    return LANGUAGES.get(locale) or LANGUAGES.get(locale.split("-")[0]) or locale
