"""Names in English text where no label says so, and words, towns, firms and illnesses that look like them."""

from __future__ import annotations

import pytest

from hauberk.privacy.text.detector import Detector

DETECTOR = Detector(types=frozenset({"NAME"}))


def names(line: str) -> list[str]:
    return [one.of(line) for one in DETECTOR.find(line)]


def check(line: str) -> None:
    """What stands in ⟦brackets⟧ is found, and nothing else."""
    plain = line.replace("⟦", "").replace("⟧", "")
    assert names(plain) == [one.partition("⟧")[0] for one in line.split("⟦")[1:]]


@pytest.mark.parametrize(
    "line",
    [
        "⟦Oluwaseun⟧ and ⟦Birgit⟧ went through the contract.",
        "We handed the file to ⟦Nguyen Van Thanh⟧ at noon.",
        "⟦Chukwuemeka Obi⟧ scored twice.",
        "Both ⟦Zsófia⟧ and ⟦Kwame⟧ passed.",
        "A letter from ⟦Katarzyna Wójcik⟧ arrived.",
        "⟦Harpreet Kaur⟧ drove to Leeds.",
        "⟦Gülşah⟧ baked the cake.",
        "⟦Siobhan O'Reilly⟧ dressed the wound.",
        "⟦Sofia van der Berg⟧ lives in Cape Town.",
        "⟦Omar al-Rashid⟧ translated, ⟦Ludwig von Hohenfels⟧ paid.",
        "⟦Abu Bakr Siddique⟧ owns the shop.",
        "⟦Kim Soo-hyun⟧ bowed.",
    ],
)
def test_names_of_many_countries(line: str) -> None:
    check(line)


@pytest.mark.parametrize(
    "line",
    [
        "⟦Okafor, Chidinma⟧",
        "Pupil: ⟦Nkosi, Thabo⟧   Form: 8C",
        'To: "⟦O\'Brien, Patrick⟧" <office@example.com>',
        "⟦García-López, Marta⟧; ⟦Ellis, Joan⟧",
        "⟦Silva, P.⟧, ⟦Costa, M. J.⟧ and ⟦Zhou, L.⟧ wrote it.",
        "Policyholder: ⟦HASSAN, FATIMA⟧",
        "Attending: ⟦Priscilla⟧, ⟦Bongani⟧, and ⟦Frederik⟧",
    ],
)
def test_the_surname_first_is_one_name_and_a_list_is_many(line: str) -> None:
    check(line)


@pytest.mark.parametrize(
    "line",
    [
        "⟦J. K. Moreno⟧ and ⟦T.J. McAllister⟧ wrote the appendix.",
        "Reviewed by ⟦S. Rao⟧, M.D.",
        "⟦Robert T. Haskins⟧ was not driving.",
    ],
)
def test_initials_belong_to_the_name(line: str) -> None:
    check(line)


@pytest.mark.parametrize(
    "line",
    [
        "⟦Kaur⟧ was promoted in February.",
        "⟦Rodriguez⟧, 41, was taken to hospital.",
        "⟦Kowalski⟧ and ⟦Tran⟧ were late.",
        "Surgeon: ⟦Yamada⟧; anaesthetist: ⟦Kruger⟧",
        "Drs. ⟦Okeke⟧ and ⟦Sandoval⟧ met Sen. ⟦Holloway⟧.",
        "MR. ⟦DELANEY⟧: Objection.",
        "Ask ⟦van der Berg⟧ for the key.",
        "⟦Ana Thornbury⟧ wrote first; later ⟦Thornbury⟧ withdrew it.",
    ],
)
def test_a_surname_alone(line: str) -> None:
    check(line)


@pytest.mark.parametrize(
    "line",
    [
        "Tell ⟦Faith⟧ that we have faith in her plan.",
        "⟦Grace⟧, can you book the room?",
        "⟦Mark⟧ marked the papers.",
        "⟦Joy⟧'s speech was full of joy.",
        "⟦Hunter⟧ and ⟦Dawn⟧ called at dawn.",
        "I'd copy ⟦Will⟧ on that.",
        "⟦Florence Adebayo⟧ flew to Florence.",
        "⟦Jordan⟧ texted me from Amman.",
    ],
)
def test_words_and_towns_that_are_somebody(line: str) -> None:
    check(line)


@pytest.mark.parametrize(
    "line",
    [
        "Mark the page and read it in May.",
        "Grace period ends on Friday.",
        "Rose garden, Victoria Street, Hunter Valley",
        "Bill of Rights, and the Bill, please",
        "Washington announced tariffs; Georgia raised its minimum wage.",
        "The Ford was towed to Miller's Garage.",
        "Johnson & Johnson and Wells Fargo rose, Eli Lilly fell.",
        "Parkinson's disease, Crohn's, Hodgkin lymphoma and the Glasgow Coma Scale",
        "Lipitor, Ventolin and Tylenol; Grafana and Prometheus",
        "Macy's and Lloyd's of London",
        "Hurricane Katrina and Storm Eunice",
        "We stayed at the Victoria Hotel near Windsor Castle.",
        "Homework: read Charlotte's Web.",
        "The Rich Text editor and the Clean Room",
        "Flights to San Jose and Baton Rouge",
        "NOTICE OF CLASS ACTION SETTLEMENT",
    ],
)
def test_what_only_looks_like_a_name(line: str) -> None:
    assert names(line) == []


@pytest.mark.parametrize(
    "line",
    [
        "hey ⟦anna⟧, u free tonight?",
        "ask ⟦miguel⟧ to bring the charger",
        "has anyone seen ⟦yusuf⟧ today?",
        "⟦liam⟧: did you push it?",
        "my name is ⟦oluwatobi⟧ and i need a refund",
        "dinner w/ ⟦olivia⟧ at 8",
        "i met ⟦maria lopez⟧ yesterday",
        "will you mark it in may",
        "the rose bush and the olive tree",
        "grant access to the bill folder",
    ],
)
def test_names_written_small_only_where_one_is_called(line: str) -> None:
    check(line)
