"""Code lists of EN 16931 and Peppol, as far as something that people type can miss them. Tests hold them against the
lists of the official rules."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Schemes of electronic addresses (EAS), of which Peppol delivers to all but a few (PEPPOL-EN16931-CL008). "EM" is an
# e-mail address.
ENDPOINT_SCHEMES = _words(
    "0002 0007 0009 0037 0060 0088 0096 0097 0106 0130 0135 0142 0147 0151 0154 0158 0170 0177 0183 0184 0188 0190"
    " 0191 0192 0193 0194 0195 0196 0198 0199 0200 0201 0202 0203 0204 0205 0208 0209 0210 0211 0212 0213 0215 0216"
    " 0217 0218 0221 0225 0230 0235 0240 0242 0244 0245 0246 0248 9910 9913 9914 9915 9918 9919 9920 9922"
    " 9923 9924 9925 9926 9927 9928 9929 9930 9931 9932 9933 9934 9935 9936 9937 9938 9939 9940 9941 9942 9943 9944"
    " 9945 9946 9947 9948 9949 9950 9951 9952 9953 9957 9959 AN AQ AS AU EM"
)
PEPPOL_ENDPOINT_SCHEMES = ENDPOINT_SCHEMES - _words(
    "0037 0147 0154 0170 0177 0193 0194 0202 0203 0205 0212 0213 0215 0217 AN AQ AS AU EM"
)

# Codes of reasons why there is no tax (VATEX, BT-121).
EXEMPTION_CODES = frozenset(
    f"VATEX-{code}"
    for code in _words(
        "EU-79-C EU-132 EU-132-1A EU-132-1B EU-132-1C EU-132-1D EU-132-1E EU-132-1F EU-132-1G EU-132-1H EU-132-1I"
        " EU-132-1J EU-132-1K EU-132-1L EU-132-1M EU-132-1N EU-132-1O EU-132-1P EU-132-1Q EU-135-1 EU-143 EU-143-1A"
        " EU-143-1B EU-143-1C EU-143-1D EU-143-1E EU-143-1F EU-143-1FA EU-143-1G EU-143-1H EU-143-1I EU-143-1J"
        " EU-143-1K EU-143-1L EU-144 EU-146-1E EU-148 EU-148-A EU-148-B EU-148-C EU-148-D EU-148-E EU-148-F EU-148-G"
        " EU-151 EU-151-1A EU-151-1AA EU-151-1B EU-151-1C EU-151-1D EU-151-1E EU-153 EU-159 EU-309 EU-G EU-O EU-IC"
        " EU-AE EU-D EU-F EU-I EU-J FR-FRANCHISE FR-CNWVAT FR-CGI261-1 FR-CGI261-2 FR-CGI261-3 FR-CGI261-4 FR-CGI261-5"
        " FR-CGI261-7 FR-CGI261-8 FR-CGI261A FR-CGI261B FR-CGI261C-1 FR-CGI261C-2 FR-CGI261C-3 FR-CGI261D-1"
        " FR-CGI261D-1BIS FR-CGI261D-2 FR-CGI261D-3 FR-CGI261D-4 FR-CGI261E-1 FR-CGI261E-2 FR-CGI277A FR-CGI275"
        " FR-298SEXDECIESA FR-CGI295 FR-AE"
    )
)
# Codes that stand for one tax category alone (PEPPOL-EN16931-P0104 to P0111).
CATEGORY_OF_EXEMPTION = {
    "VATEX-EU-G": "G", "VATEX-EU-O": "O", "VATEX-EU-IC": "K", "VATEX-EU-AE": "AE",
    **dict.fromkeys(["VATEX-EU-D", "VATEX-EU-F", "VATEX-EU-I", "VATEX-EU-J"], "E"),
}  # fmt: skip

# The scheme (ISO 6523) of a number in the company register, by country and by the number of its digits.
REGISTER_SCHEMES = {
    ("NL", 8): "0106", ("NL", 20): "0190", ("BE", 10): "0208", ("FR", 9): "0002",
    ("JP", 13): "0188", ("FI", 8): "0212", ("EE", 8): "0191", ("AU", 11): "0151",
    ("DK", 8): "0184", ("NO", 9): "0192", ("SE", 10): "0007", ("IS", 10): "0196",
}  # fmt: skip

# Where a credit transfer in euro is one of SEPA.
SEPA = _words(
    "AD AL AT BE BG CH CY CZ DE DK EE ES FI FR GB GI GR HR HU IE IS IT LI LT LU LV MC MD ME MK MT NL NO PL PT RO RS SE"
    " SI SK SM VA"
)

# What French law wants on every invoice (Code de commerce, L441-9), by a word of it, with the code of the subject of
# the note (UNTDID 4451): the fixed sum for recovery costs, penalties for late payment, discount for early payment.
FRENCH_NOTES = {"recouvrement": "PMT", "pénalités": "PMD", "escompte": "AAB"}

# Of VAT in Sweden (SE-R-006).
SWEDISH_RATES = frozenset({6, 12, 25})

# In use by ISO 4217, and not in all lists of the rules (BR-CL-03).
UNKNOWN_CURRENCIES = frozenset({"STN", "XAD"})
