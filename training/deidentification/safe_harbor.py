"""The identifiers that HIPAA's Safe Harbor names (45 CFR 164.514(b)(2)(i), A to R), and the tag that replaces each.

Ages over 89 stand in the same paragraph as dates, but carry a tag of their own, so they are a class of their own here.
"""

from enum import Enum
from typing import NamedTuple

from schemas.privacy_vocabulary import Tag


class Paragraph(NamedTuple):
    """What one class is called, the paragraph of the rule that names it, and the tag that replaces it."""

    title: str
    letter: str
    tag: Tag


class SafeHarbor(Enum):
    """The eighteen classes, with ages over 89 beside dates."""

    NAME = Paragraph("name", "A", "NAME")
    PLACE = Paragraph("geographic subdivision", "B", "LOCATION")
    DATE = Paragraph("date", "C", "DATE")
    AGE = Paragraph("age over 89", "C", "AGE")
    PHONE = Paragraph("telephone", "D", "CONTACT")
    FAX = Paragraph("fax", "E", "CONTACT")
    EMAIL = Paragraph("e-mail", "F", "CONTACT")
    SOCIAL_SECURITY = Paragraph("social security", "G", "ID")
    RECORD = Paragraph("medical record", "H", "ID")
    HEALTH_PLAN = Paragraph("health plan", "I", "ID")
    ACCOUNT = Paragraph("account", "J", "ID")
    LICENCE = Paragraph("certificate or licence", "K", "ID")
    VEHICLE = Paragraph("vehicle", "L", "ID")
    DEVICE = Paragraph("device", "M", "ID")
    WEB_ADDRESS = Paragraph("web address", "N", "CONTACT")
    NETWORK_ADDRESS = Paragraph("network address", "O", "CONTACT")
    BIOMETRIC = Paragraph("biometric", "P", "ID")
    PHOTOGRAPH = Paragraph("photograph", "Q", "ID")
    OTHER = Paragraph("other number", "R", "ID")

    @property
    def title(self) -> str:
        """The name of the class in tables and in annotations."""
        return self.value.title

    @property
    def tag(self) -> Tag:
        """The tag that should replace it."""
        return self.value.tag


BY_TITLE = {one.title: one for one in SafeHarbor}
"""Each class by its name."""
