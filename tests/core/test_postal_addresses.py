"""An address is written in the order of its country, with the country's name in the reader's language."""

import pytest

from billing_portal.core.iso_codes import countries
from billing_portal.core.postal_addresses import address_lines, country_name

# Country; street, postal code, city and region as they are stored; what stands between the name and the country.
PLACES = [
    ("US", "350 5th Ave", "10118", "New York", "New York", ["350 5th Ave", "New York, NY 10118"]),
    ("US", "1 Market St", "94105", "San Francisco", "CA", ["1 Market St", "San Francisco, CA 94105"]),
    ("US", "1 Market St", "94105", "San Francisco", "", ["1 Market St", "San Francisco 94105"]),
    ("CA", "100 King St W", "M5X 1A9", "Toronto", "Ontario", ["100 King St W", "Toronto ON M5X 1A9"]),
    ("AU", "1 Macquarie St", "2000", "Sydney", "New South Wales", ["1 Macquarie St", "Sydney NSW 2000"]),
    ("NZ", "1 Queen St", "1010", "Auckland", "", ["1 Queen St", "Auckland 1010"]),
    ("GB", "10 Downing St", "SW1A 2AA", "London", "", ["10 Downing St", "London", "SW1A 2AA"]),
    ("IE", "1 Grand Canal", "D02 X525", "Dublin", "Co. Dublin", ["1 Grand Canal", "Dublin", "Co. Dublin", "D02 X525"]),
    ("NL", "Kade 1", "1011 AA", "Amsterdam", "", ["Kade 1", "1011 AA Amsterdam"]),
    ("NL", "Kade 1", "1011 AA", "Amsterdam", "Noord-Holland", ["Kade 1", "1011 AA Amsterdam", "Noord-Holland"]),
    ("BE", "Wetstraat 1", "1000", "Brussel", "", ["Wetstraat 1", "1000 Brussel"]),
    ("LU", "1 rue du Fort", "L-1616", "Luxembourg", "", ["1 rue du Fort", "L-1616 Luxembourg"]),
    ("DE", "Unter den Linden 1", "10117", "Berlin", "Berlin", ["Unter den Linden 1", "10117 Berlin"]),
    ("AT", "Ring 1", "1010", "Wien", "", ["Ring 1", "1010 Wien"]),
    ("CH", "Bahnhofstrasse 1", "8001", "Zürich", "", ["Bahnhofstrasse 1", "8001 Zürich"]),
    ("LI", "Städtle 1", "9490", "Vaduz", "", ["Städtle 1", "9490 Vaduz"]),
    ("FR", "1 rue de Rivoli", "75001", "Paris", "", ["1 rue de Rivoli", "75001 Paris"]),
    ("IT", "Via Roma 1", "20121", "Milano", "MI", ["Via Roma 1", "20121 Milano MI"]),
    ("ES", "Gran Vía 1", "28013", "Madrid", "Madrid", ["Gran Vía 1", "28013 Madrid"]),
    ("ES", "Calle Mayor 1", "08201", "Sabadell", "Barcelona", ["Calle Mayor 1", "08201 Sabadell", "Barcelona"]),
    ("PT", "Rua Augusta 1", "1100-048", "Lisboa", "", ["Rua Augusta 1", "1100-048 Lisboa"]),
    ("DK", "Strøget 1", "1160", "København", "", ["Strøget 1", "1160 København"]),
    ("SE", "Storgatan 1", "111 29", "Stockholm", "", ["Storgatan 1", "111 29 Stockholm"]),
    ("NO", "Karl Johans gate 1", "0154", "Oslo", "", ["Karl Johans gate 1", "0154 Oslo"]),
    ("FI", "Mannerheimintie 1", "00100", "Helsinki", "", ["Mannerheimintie 1", "00100 Helsinki"]),
    ("IS", "Laugavegur 1", "101", "Reykjavík", "", ["Laugavegur 1", "101 Reykjavík"]),
    ("PL", "ul. Marszałkowska 1", "00-001", "Warszawa", "", ["ul. Marszałkowska 1", "00-001 Warszawa"]),
    ("CZ", "Václavské nám. 1", "110 00", "Praha", "", ["Václavské nám. 1", "110 00 Praha"]),
    ("SK", "Hlavná 1", "811 01", "Bratislava", "", ["Hlavná 1", "811 01 Bratislava"]),
    ("SI", "Slovenska 1", "1000", "Ljubljana", "", ["Slovenska 1", "1000 Ljubljana"]),
    ("HR", "Ilica 1", "10000", "Zagreb", "", ["Ilica 1", "10000 Zagreb"]),
    ("HU", "Váci utca 1", "1052", "Budapest", "", ["Budapest", "Váci utca 1", "1052"]),
    ("RO", "Calea Victoriei 1", "010061", "București", "", ["Calea Victoriei 1", "010061 București"]),
    ("BG", "бул. Витоша 1", "1000", "София", "", ["бул. Витоша 1", "1000 София"]),
    ("GR", "Ermou 1", "105 63", "Athina", "", ["Ermou 1", "105 63 Athina"]),
    ("EE", "Viru 1", "10140", "Tallinn", "", ["Viru 1", "10140 Tallinn"]),
    ("LV", "Brīvības iela 1", "LV-1010", "Rīga", "", ["Brīvības iela 1", "Rīga, LV-1010"]),
    ("LT", "Gedimino pr. 1", "01103", "Vilnius", "", ["Gedimino pr. 1", "01103 Vilnius"]),
    ("MT", "Republic St 1", "VLT 1117", "Valletta", "", ["Republic St 1", "Valletta VLT 1117"]),
    ("CY", "Ledra 1", "1011", "Nicosia", "", ["Ledra 1", "1011 Nicosia"]),
    ("TR", "İstiklal Cd. 1", "34430", "Beyoğlu", "İstanbul", ["İstiklal Cd. 1", "34430 Beyoğlu/İstanbul"]),
    ("BR", "Av. Paulista 1", "01310-100", "São Paulo", "SP", ["Av. Paulista 1", "São Paulo-SP", "01310-100"]),
    ("MX", "Reforma 1", "06600", "Cuauhtémoc", "CDMX", ["Reforma 1", "06600 Cuauhtémoc, CDMX"]),
    ("AR", "Florida 1", "C1005", "Buenos Aires", "", ["Florida 1", "C1005 Buenos Aires"]),
    ("IN", "1 MG Road", "560001", "Bengaluru", "Karnataka", ["1 MG Road", "Bengaluru 560001", "Karnataka"]),
    ("SG", "1 Raffles Place", "048616", "Singapore", "", ["1 Raffles Place", "Singapore 048616"]),
    ("HK", "1 Queen's Road", "", "Central", "Hong Kong Island", ["1 Queen's Road", "Central", "Hong Kong Island"]),
    ("JP", "1-1-1 Marunouchi", "100-0005", "Chiyoda", "Tokyo", ["1-1-1 Marunouchi", "Chiyoda, Tokyo 100-0005"]),
    ("KR", "1 Sejong-daero", "04524", "Jung-gu", "Seoul", ["1 Sejong-daero", "Jung-gu, Seoul 04524"]),
    ("CN", "1 Chang'an", "100006", "Beijing", "", ["1 Chang'an", "Beijing", "100006"]),
    ("TW", "1 Xinyi Rd", "110", "Taipei", "", ["1 Xinyi Rd", "Taipei 110"]),
    ("ZA", "1 Long St", "8001", "Cape Town", "", ["1 Long St", "Cape Town", "8001"]),
    ("AE", "1 Sheikh Zayed Rd", "", "Dubai", "Dubai", ["1 Sheikh Zayed Rd", "Dubai"]),
    ("IL", "1 Rothschild Blvd", "6688101", "Tel Aviv", "", ["1 Rothschild Blvd", "Tel Aviv 6688101"]),
]


def lines(country, language="en", **parts):
    return address_lines({"company": "Example", "attention": "Accounts", "country": country, **parts}, language)


@pytest.mark.parametrize(("country", "street", "code", "city", "region", "between"), PLACES)
def test_it_has_the_order_of_its_country(country, street, code, city, region, between):
    written = lines(country, street=street, postal_code=code, city=city, region=region)
    assert written == ["Example", "Accounts", *between, country_name(country, "en")]


def test_in_east_asian_letters_it_begins_with_the_largest_part():
    japan = {"company": "株式会社さくら商事", "attention": "経理部", "street": "丸の内1-1-1", "postal_code": "100-0005",
             "city": "千代田区", "region": "東京都", "country": "JP"}  # fmt: skip
    assert address_lines(japan, "en") == [
        "〒100-0005", "東京都千代田区丸の内1-1-1", "株式会社さくら商事", "経理部", "Japan"
    ]  # fmt: skip
    china = {
        "company": "北京科技有限公司",
        "street": "长安街1号",
        "postal_code": "100006",
        "city": "北京市",
        "country": "CN",
    }
    assert address_lines(china, "en") == ["100006", "北京市", "长安街1号", "北京科技有限公司", "China"]


@pytest.mark.parametrize(
    ("language", "country", "name"),
    [("nl", "DE", "Duitsland"), ("de", "DE", "Deutschland"), ("fr", "DE", "Allemagne"), ("fr", "US", "États-Unis")],
)
def test_the_country_is_named_in_the_language_of_the_document(language, country, name):
    assert lines(country, language)[-1] == name


@pytest.mark.parametrize("country", [*sorted(countries()), ""])
def test_every_part_of_every_country_is_written_once(country):
    parts = {
        "company": "Company", "attention": "Person", "street": "Street 1", "postal_code": "4711", "city": "Xtown",
        "region": "Xshire", "country": country,
    }  # fmt: skip
    written = " | ".join(address_lines(parts, "en"))
    assert [written.count(part) for name, part in parts.items() if name != "country"] == [1] * 6
    assert "%" not in written
    assert "Company | Person" in written
    assert not set(written.split(" | ")) & {"", ",", "-"}


def test_parts_that_are_missing_leave_nothing_behind():
    assert lines("US", city="New York") == ["Example", "Accounts", "New York", "United States"]
    assert lines("BR", postal_code="01310-100") == ["Example", "Accounts", "01310-100", "Brazil"]
    assert address_lines({"company": "Example", "country": "JP"}, "en") == ["Example", "Japan"]
    assert address_lines({}, "en") == []
