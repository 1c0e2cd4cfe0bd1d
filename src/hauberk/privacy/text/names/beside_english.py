"""What stands right before and after names in English text and speaks for one."""

from __future__ import annotations

import re

_LABEL = re.compile(
    r"(?:\b(?:full |first |last |customer |patient |contact |account |employee |guest |tenant "
    r"|user ?|card ?holder |sur)?name"
    r"|\b(?:patient|customer|client|contact|attn|attention|recipient|sender|ship(?:ped)? to"
    r"|bill(?:ed)? to|sold to|deliver to"
    r"|signed(?: by)?|author|cc|from|to|employee|tenant|landlord|witness|spouse|physician"
    r"|attending|account holder|cardholder"
    r"|beneficiary|applicant|buyer|seller|owner|driver|passenger|guardian|nominee|manager"
    r"|assignee|reporter|reviewer|attendees?|participants?|present|absent|apologies|chair|secretary"
    r"|treasurer|minutes by|guests?|members?|students?|pupils?|teachers?|tutor|examiner|invigilators?"
    r"|candidates?|supervisor|coach|captain|surgeon|nurse|consultant|anesthesia|anaesthetist|next of kin"
    r"|emergency contact|mother|father|parents?|husband|wife|son|daughter|siblings?|counsel|defendant"
    r"|plaintiff|claimant|petitioner|respondent|appellant|judge|clerk|victim|suspect|caller|officer"
    r"|agent|adjuster|insured|policyholder|approver|poc|speakers?|editor|translator"
    r"|(?:reviewed|approved|reported|tested|signed-off|co-authored|prepared|submitted|checked)[- ]by))"
    r"[\"']?\s{0,3}[:=|\t][\"']?\s{0,3}[\"']?$|(?:my|his|her|their|whose|the) (?:(?:full|last"
    r"|first|maiden) )?name(?:'s| is| was) $"
    r"|(?:姓名|联系人|收货人|客户|名字|叫|发件人|收件人|户名|持卡人|经理|患者)[：: ]{0,2}$",
    re.IGNORECASE,
)
GREETING = re.compile(
    r"(?:\b(?:hi|hello|hey|dear|thanks|thank you|cheers|regards|sincerely|bye|welcome|morning"
    r"|afternoon|evening|birthday|congratulations|congrats|sorry|love),?|\b(?:I'm|I am|this "
    r"is|called|named|call me|ask for|speak (?:to|with)|spoke (?:to|with)|met|told|asked"
    r"|invited|emailed))\s$",
    re.IGNORECASE,
)
SPEAKS = re.compile(
    r"(?:'s\b|’s\b)?,? (?:said|says|told|asked|replied|wrote|called|thinks|wants|wanted|added"
    r"|explained|noted|lives|lived|works|worked|was born|is (?:a|an|my|our|very|from)|has "
    r"been|will be|and I\b|lost|went|came|sent|took|gave|made|left|felt|knew|ran|stood|sat"
    r"|[a-z]{2,12}ed\b)"
)
SAYS = re.compile(
    r",? (?:said|says|told|asked|replied|wrote|called|thinks|wants|wanted|added|explained|noted|testified"
    r"|insisted|joked|agreed|disagreed|apologi[sz]ed|answered|argued|admitted|denied|complained|shouted"
    r"|whispered|smiled|laughed|nodded|cried|married|died|retired|resigned|was born|lives|lived|knew|felt"
    r"|is (?:a|my|our)|has been|scored|beat|tweeted|thanked|met|forgot|sends|sent)\b"
)
TOLD = re.compile(
    r"(?:\b(?:according to|said|says|thanked|told|asked|emailed|phoned|under|identified as|issued to"
    r"|assigned to|reports to|married|cousin|nephew|niece|named|called"
    r"|(?:signed|seen|reviewed|reported|prepared|written|approved|booked|driven|assessed|treated|examined"
    r"|represented)(?: for)? (?:by|under)),? )$",
    re.IGNORECASE,
)
# What TOLD ends with: cheaper to look for.
TOLD_LAST = frozenset((
    "to", "said", "says", "thanked", "told", "asked", "emailed", "phoned", "by", "under", "as", "married",
    "cousin", "nephew", "niece", "named", "called",
))  # fmt: skip
GREETINGS = frozenset(("Hi", "Hello", "Dear", "Hey", "Thanks", "Cheers", "Regards", "Sincerely"))


def is_label(held: str) -> bool:
    """Whether a text ends with what announces a name; a look at its end spares most searches."""
    last = held.rstrip(" \"'")[-1:]
    likely = last in ":=|\t：" or last >= "\u4e00" or "name" in held.lower()
    return likely and _LABEL.search(held) is not None
