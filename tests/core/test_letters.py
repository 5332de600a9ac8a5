"""Letters that documents cannot print, and characters that nobody sees."""

import pytest
from django.core.exceptions import ValidationError

from billing_portal.core.letters import (
    PrintedField,
    PrintedTextField,
    SeenField,
    fault,
    hidden,
    letter_names,
    unprintable,
    validate_drawn,
    validate_printed,
    validate_printed_lines,
    validate_seen,
)

NAMES = [
    "Example Trading B.V.", "Æther & Søn A/S", "Société Générale", "Łódź Żabka", "Ελληνική Α.Ε.", "ООО Ромашка",
    "株式会社さくら商事", "北京科技有限公司", "臺北公司", "주식회사 한국", "شركة الأمل للتجارة", 'שלום חברה בע"מ',
    "نرم‌افزار", "नई दिल्ली प्राइवेट", "க்‌ஷ தமிழ்", "తెలుగు", "ಕನ್ನಡ", "മലയാളം", "বাংলা", "ગુજરાતી", "ਪੰਜਾਬੀ", "ଓଡ଼ିଆ",
    "සිංහල", "บริษัท สยาม", "ລາວ", "ខ្មែរ", "မြန်မာ", "አማርኛ", "Հայերեն", "ქართული", "Việt Nam Đồng",
    "Shop 😀", "Love ❤️ & family 👨‍👩‍👧", "👍🏽", "🇳🇱", "※ ① № ™ € ₿ ₹ ½ ≤ ∞ → ■ ✓ ★", "no\u00a0break", "全角　空白",
]  # fmt: skip


@pytest.mark.parametrize("text", NAMES)
def test_names_of_the_world_are_fine(text):
    assert (hidden(text), unprintable(text), fault(text)) == ([], [], "")


@pytest.mark.parametrize(
    "character",
    [
        "\u202e", "\u202a", "\u2066", "\u2069", "\u200e", "\u200f", "\u061c", "\u200b", "\u2060", "\u00ad", "\ufeff",
        "\x00", "\x07", "\t", "\x7f", "\x85", "\u2028", "\u2029", "\u3164", "\u115f", "\u2800", "\u034f", "\u180e",
        "\U000e0041", "\ufff9", "\ud800",
    ],
)  # fmt: skip
def test_a_character_that_nobody_sees_is_found_and_named(character):
    for text in (f"Exam{character}ple", f"{character}Example", f"Example{character}"):
        assert hidden(text) == [character]
        for validate in (validate_printed, validate_seen):
            with pytest.raises(ValidationError, match=f"U\\+{ord(character):04X}"):
                validate(text)


@pytest.mark.parametrize("text", ["Exam\u200dple", "Exam\u200cple", "\u200dExample", "नई\u200d", "क\u200d\u200dष"])
def test_a_joiner_that_joins_nothing_is_hidden(text):
    assert len(hidden(text)) == 1


@pytest.mark.parametrize("letter", ["𓀀", "Ꭳ", "\U000f1234", "\ue000", "\u0378", "꧁"])
def test_a_letter_without_a_glyph_is_found_and_named(letter):
    assert unprintable(f"Bond {letter}{letter} & Co") == [letter]
    with pytest.raises(ValidationError, match=f"cannot print these characters: U\\+{ord(letter):04X}"):
        validate_printed(f"Bond {letter} & Co")
    validate_seen(f"Bond {letter} & Co")


def test_a_reference_from_a_bank_may_bring_marks_that_are_taken_out():
    validate_drawn("\u202aWIRE-1\u202c")
    with pytest.raises(ValidationError, match=r"U\+13000"):
        validate_drawn("WIRE 𓀀")


def test_many_letters_are_not_all_named():
    assert letter_names(list("abcdefg")).endswith("U+0065 LATIN SMALL LETTER E, …")


def test_lines_may_end_in_a_text_of_lines():
    validate_printed_lines("One\r\ntwo")
    validate_seen("One\r\ntwo")
    with pytest.raises(ValidationError, match=r"U\+000A"):
        validate_printed("One\ntwo")


def test_to_migrations_the_fields_are_those_of_django():
    assert SeenField(max_length=9).deconstruct()[1] == "django.db.models.CharField"
    assert PrintedField(max_length=9).deconstruct()[1:] == ("django.db.models.CharField", [], {"max_length": 9})
    assert PrintedTextField().deconstruct()[1] == "django.db.models.TextField"
    with pytest.raises(ValidationError):
        PrintedField(max_length=9).run_validators("a\u202eb")
