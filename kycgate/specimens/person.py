"""Invented people: everything that a card prints, drawn from a seed, without contradictions."""

import random
from datetime import date, timedelta
from functools import lru_cache

from pydantic import BaseModel, ConfigDict

from kycgate.contracts.id_number import GOVERNORATES, NationalId

_ARABIC_INDIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")

_MEN = (
    ("أحمد", "Ahmed"),
    ("محمود", "Mahmoud"),
    ("كريم", "Karim"),
    ("يوسف", "Youssef"),
    ("طارق", "Tarek"),
    ("سامي", "Samy"),
)
_WOMEN = (("منى", "Mona"), ("سارة", "Sara"), ("هدى", "Hoda"), ("نور", "Nour"), ("ليلى", "Laila"), ("دينا", "Dina"))
_MEN_OF_TWO_WORDS = (("عبد الرحمن", "Abdel Rahman"), ("عبد الله", "Abdallah"))
_WOMEN_OF_TWO_WORDS = (("نور الهدى", "Nour Elhoda"), ("فاطمة الزهراء", "Fatma Elzahraa"))
_OF_TWO_WORDS = 0.2
"""The share of people with a first name of two words: no first space ends it."""
_FAMILY = (
    *(("محمد", "Mohamed"), ("علي", "Ali"), ("حسن", "Hassan"), ("إبراهيم", "Ibrahim"), ("مصطفى", "Mostafa")),
    *(("فؤاد", "Fouad"), ("جمال", "Gamal"), ("شريف", "Sherif"), ("رشدي", "Roshdy"), ("منصور", "Mansour")),
)
_STREETS = ("شارع التجربة", "شارع الأنموذج", "شارع الاختبار", "شارع الأمثلة")
_TOWNS = ("حي النموذج", "حدائق التجربة", "مدينة المثال")
_PROFESSIONS = (("مهندس", "Engineer"), ("طبيب", "Doctor"), ("محاسب", "Accountant"), ("مدرس", "Teacher"))
NATIONALITY = "مصري"
WORDS = {"gender": ("ذكر", "أنثى"), "religion": ("مسلم", "مسيحي"), "maritalStatus": ("أعزب", "متزوج")}
"""The back's closed vocabularies, in the order in which they are printed."""
_CITIES = {"01": "القاهرة", "02": "الإسكندرية", "21": "الجيزة", "12": "الدقهلية"}


def to_arabic_indic(text: str) -> str:
    """`text` with its digits as a card prints them."""
    return text.translate(_ARABIC_INDIC)


_LETTERS = dict(zip("ابتجحدرزسصضطعفقكلمنهويةىأإآؤئ", "abtghdrzssdtafkklmnhwyaaaiaoe", strict=True)) | {
    "ث": "th", "خ": "kh", "ذ": "z", "ش": "sh", "ظ": "z", "غ": "gh",
}  # fmt: skip


def in_english(name: str) -> str:
    """An Arabic name in Latin letters: as its bearers write it where that is known, else letter by letter."""
    known = dict((*_MEN, *_WOMEN, *_FAMILY))
    two = dict((*_MEN_OF_TWO_WORDS, *_WOMEN_OF_TWO_WORDS))
    if name in two:
        return two[name]
    return " ".join(known.get(word) or "".join(_LETTERS.get(c, "") for c in word).capitalize() for word in name.split())


class Person(BaseModel):
    """One invented person; names and words as printed, with their English beside."""

    model_config = ConfigDict(frozen=True)

    seed: int
    first_name: str
    family_name: str
    first_name_en: str
    family_name_en: str
    address: str
    state: str
    birthdate: date
    id_number: str
    document_number: str
    gender: str
    religion: str
    marital_status: str
    profession: str
    profession_en: str
    nationality: str
    issue_date: date
    expiry_date: date

    @property
    def full_name(self) -> str:
        return f"{self.first_name} {self.family_name}"

    @property
    def full_name_en(self) -> str:
        return f"{self.first_name_en} {self.family_name_en}"

    def truth(self, side: str) -> dict[str, str]:
        """What `side` (front, back, passport) prints, by the vendor's property names; dates are ISO 8601."""
        if side == "back":
            return {
                "idNumberBack": self.id_number,
                "idBackScan": self.id_number,
                "issueDate": self.issue_date.isoformat(),
                "expirationDate": self.expiry_date.isoformat(),
                "profession": self.profession,
                "gender": self.gender,
                "religion": self.religion,
                "maritalStatus": self.marital_status,
                "nationality": self.nationality,
            }
        return {
            "fullName": self.full_name,
            "firstName": self.first_name,
            "familyName": self.family_name,
            "fullNameEn": self.full_name_en,
            "firstNameEn": self.first_name_en,
            "familyNameEn": self.family_name_en,
            "address": self.address,
            "state": self.state,
            "idNumber": self.id_number,
            "idFrontScan": self.id_number,
            "documentNumber": self.document_number,
            "birthdate": self.birthdate.isoformat(),
        }


@lru_cache(maxsize=4096)
def make_person(seed: int) -> Person:
    """The person of this seed, always the same."""
    rng = random.Random(seed)
    number = NationalId.make(rng, governorate=rng.choice(sorted(set(GOVERNORATES) & set(_CITIES))))
    first = rng.choice(_MEN if number.gender == "male" else _WOMEN)
    family = rng.sample(_FAMILY, 3)
    profession = rng.choice(_PROFESSIONS)
    issued = date(rng.randint(2020, 2025), rng.randint(1, 12), 1)
    # Of its own: all else of a seed's person stays as it was before there were such names.
    further = random.Random(f"first name {seed}")
    if further.random() < _OF_TWO_WORDS:
        first = further.choice(_MEN_OF_TWO_WORDS if number.gender == "male" else _WOMEN_OF_TWO_WORDS)
    return Person(
        seed=seed,
        first_name=first[0],
        first_name_en=first[1],
        family_name=" ".join(name for name, _ in family),
        family_name_en=" ".join(name for _, name in family),
        address=f"{to_arabic_indic(str(rng.randint(1, 199)))} {rng.choice(_STREETS)}",
        state=f"{rng.choice(_TOWNS)} - {_CITIES[number.governorate]}",
        birthdate=number.birthdate,
        id_number=number.digits,
        document_number=f"{''.join(rng.choices('ABCDEFGHJKLMNPQRSTUVWXYZ', k=2))}{rng.randrange(10**7):07d}",
        gender=WORDS["gender"][number.gender == "female"],
        religion=rng.choice(WORDS["religion"]),
        marital_status=rng.choice(WORDS["maritalStatus"]),
        profession=profession[0],
        profession_en=profession[1],
        nationality=NATIONALITY,
        issue_date=issued,
        expiry_date=issued + timedelta(days=7 * 365 + 1),
    )
